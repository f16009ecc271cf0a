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

// See minigrad.optim.Adam. The step size is lr / (1 − β₁ᵗ), and `root` is 1 / √(1 − β₂ᵗ).
extern "C" __global__ void adam(
    Index count, Real* data, const Real* gradient, Real* mean, Real* square,
    Real step_size, Real root, Real beta1, Real rest1, Real beta2, Real rest2,
    Real eps, Real weight_decay
) {
    Index i = THREAD;
    if (i >= count) return;
    Real p = data[i], slope = gradient[i] + weight_decay * p;
    Real m = beta1 * mean[i] + rest1 * slope;
    Real s = beta2 * square[i] + rest2 * slope * slope;
    mean[i] = m;
    square[i] = s;
    data[i] = p - step_size * m / (sqrt(s) * root + eps);
}
