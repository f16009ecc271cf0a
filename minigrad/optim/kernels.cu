// Updates of optimisers. One thread for each weight, which is read once and written once.

// See minigrad.optim.SGD.
extern "C" __global__ void sgd(
    Index count, Real* data, const Real* gradient, Real* velocity,
    Real lr, Real momentum, Real weight_decay, Index nesterov
) {
    Index i = THREAD;
    if (i >= count) return;
    Real p = data[i], slope = gradient[i] + weight_decay * p;
    Real v = momentum * velocity[i] + slope;
    velocity[i] = v;
    data[i] = p - lr * (nesterov ? slope + momentum * v : v);
}

// See minigrad.optim.Adam and AdamW. The step size is lr / (1 − β₁ᵗ), `root` is 1 / √(1 − β₂ᵗ), and
// `kept` is what decay by itself leaves of a weight.
extern "C" __global__ void adam(
    Index count, Real* data, const Real* gradient, Real* mean, Real* square,
    Real step_size, Real root, Real beta1, Real rest1, Real beta2, Real rest2,
    Real eps, Real weight_decay, Real kept
) {
    Index i = THREAD;
    if (i >= count) return;
    Real p = data[i], slope = gradient[i] + weight_decay * p;
    Real m = beta1 * mean[i] + rest1 * slope;
    Real s = beta2 * square[i] + rest2 * slope * slope;
    mean[i] = m;
    square[i] = s;
    data[i] = kept * p - step_size * m / (sqrt(s) * root + eps);
}

// See minigrad.optim.RMSprop. `mean` is null unless centred, `velocity` null without momentum.
extern "C" __global__ void rmsprop(
    Index count, Real* data, const Real* gradient, Real* square, Real* mean, Real* velocity,
    Real lr, Real alpha, Real rest, Real eps, Real weight_decay, Real momentum,
    Index centered, Index moving
) {
    Index i = THREAD;
    if (i >= count) return;
    Real p = data[i], slope = gradient[i] + weight_decay * p;
    Real size = alpha * square[i] + rest * slope * slope;
    square[i] = size;
    if (centered) {
        Real m = alpha * mean[i] + rest * slope;
        mean[i] = m;
        size -= m * m;
        if (size < 0) size = 0;  // fmax would hide a NaN
    }
    Real change = slope / (sqrt(size) + eps);
    if (moving) {
        change += momentum * velocity[i];
        velocity[i] = change;
    }
    data[i] = p - lr * change;
}

// See minigrad.optim.Adadelta.
extern "C" __global__ void adadelta(
    Index count, Real* data, const Real* gradient, Real* square, Real* moved,
    Real lr, Real rho, Real rest, Real eps, Real weight_decay
) {
    Index i = THREAD;
    if (i >= count) return;
    Real p = data[i], slope = gradient[i] + weight_decay * p;
    Real s = rho * square[i] + rest * slope * slope;
    square[i] = s;
    Real change = sqrt(moved[i] + eps) / sqrt(s + eps) * slope;
    moved[i] = rho * moved[i] + rest * change * change;
    data[i] = p - lr * change;
}

// See minigrad.optim.WeightAverage: by the share `weight` towards `value`.
extern "C" __global__ void average(Index count, Real* data, const Real* value, Real weight) {
    Index i = THREAD;
    if (i >= count) return;
    Real a = data[i];
    data[i] = a + weight * (value[i] - a);
}

// Part of the square of a norm: thread i of `count` sums every count-th number from number i on.
extern "C" __global__ void squares(Index count, const Real* x, Index size, double* partial) {
    Index i = THREAD;
    if (i >= count) return;
    double sum = 0;
    for (Index j = i; j < size; j += count) sum += (double)x[j] * x[j];
    partial[i] = sum;
}
