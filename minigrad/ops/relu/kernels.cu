// The rectifier. One thread for each number.

// out = x where x is positive, else 0. NaN stays: no comparison with it is true.
extern "C" __global__ void relu_forward(Index count, const Real* x, Real* out) {
    Index i = THREAD;
    if (i >= count) return;
    Sum value = x[i];
    out[i] = value <= 0 ? 0 : value;
}

// The gradient passes where the output is positive.
extern "C" __global__ void relu_input_gradient(
    Index count, const Real* gradient, const Real* out, Real* x_gradient
) {
    Index i = THREAD;
    if (i >= count) return;
    x_gradient[i] = out[i] > 0 ? (Sum)gradient[i] : 0;
}
