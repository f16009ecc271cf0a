// Batch normalisation of x (N, C, P). A plane is one channel of one image: P numbers side by side,
// number n·C + c of the planes. A channel has M = N·P numbers.

// Σx² − (Σx)²/M would subtract two large numbers where the mean is large. So it is not x that is
// summed, but d = x − origin, which has the same variance; the origin is the channel's first number:
//     mean = origin + Σd / M          Σ (x − mean)² = Σd² − (Σd)² / M
// The first d is 0. So (Σd)² is at most (M − 1)·Σd², and what is left is at least Σd² / M: even if
// the first number is far from all others, 2²⁰ of them cost 20 of the 53 bits, and never the sign.

// One thread for each plane: Σd and Σd².
extern "C" __global__ void plane_deviations(
    Index count, const Real* x, Index C, Index P, double* sums, double* squares
) {
    Index plane = THREAD;
    if (plane >= count) return;
    const Real* values = x + plane * P;
    double origin = x[plane % C * P], sum = 0, square = 0;
    for (Index i = 0; i < P; i++) {
        double d = values[i] - origin;
        sum += d;
        square += d * d;
    }
    sums[plane] = sum;
    squares[plane] = square;
}

// One thread for each channel: its mean and variance, from the sums of its planes.
extern "C" __global__ void channel_moments(
    Index count, const Real* x, const double* sums, const double* squares, Index N, Index P,
    Real* mean, Real* var
) {
    Index c = THREAD, C = count;
    if (c >= count) return;
    double origin = x[c * P], sum = 0, square = 0, M = N * P;
    for (Index n = 0; n < N; n++) {
        sum += sums[n * C + c];
        square += squares[n * C + c];
    }
    mean[c] = origin + sum / M;
    var[c] = (square - sum * sum / M) / M;
}

// out = weight·(x − mean)/√(var + eps) + bias. One thread for each number.
extern "C" __global__ void batch_norm_forward(
    Index count, const Real* x, const Real* mean, const Real* var, const Real* weight,
    const Real* bias, Real eps, Index C, Index P, Real* out
) {
    Index i = THREAD;
    if (i >= count) return;
    Index c = i / P % C;
    Real normal = (x[i] - mean[c]) / sqrt(var[c] + eps);
    out[i] = weight[c] * normal + bias[c];
}

// One thread for each plane: Σ G and Σ G·(x − mean).
extern "C" __global__ void plane_gradient_sums(
    Index count, const Real* gradient, const Real* x, const Real* mean, Index C, Index P,
    double* sums, double* moments
) {
    Index plane = THREAD;
    if (plane >= count) return;
    const Real *slope = gradient + plane * P, *values = x + plane * P;
    double middle = mean[plane % C], sum = 0, moment = 0;
    for (Index i = 0; i < P; i++) {
        double g = slope[i];
        sum += g;
        moment += g * (values[i] - middle);
    }
    sums[plane] = sum;
    moments[plane] = moment;
}

// One thread for each channel: the gradients of weight, Σ G·(x − mean)·s, and of bias, Σ G.
extern "C" __global__ void channel_gradients(
    Index count, const double* sums, const double* moments, const Real* var, Real eps, Index N,
    Real* to_weight, Real* to_bias
) {
    Index c = THREAD, C = count;
    if (c >= count) return;
    double sum = 0, moment = 0;
    for (Index n = 0; n < N; n++) {
        sum += sums[n * C + c];
        moment += moments[n * C + c];
    }
    to_weight[c] = moment / sqrt((double)var[c] + eps);
    to_bias[c] = sum;
}

// weight·s·(G − Σ G / M − x̂·Σ G·x̂ / M), and in use, where mean and var are constants, weight·s·G.
// One thread for each number.
extern "C" __global__ void input_gradient(
    Index count, const Real* gradient, const Real* x, const Real* mean, const Real* var,
    const Real* weight, const Real* to_weight, const Real* to_bias, Real eps, Index N, Index C,
    Index P, Index training, Real* x_gradient
) {
    Index i = THREAD;
    if (i >= count) return;
    Index c = i / P % C;
    Real s = 1 / sqrt(var[c] + eps), part = gradient[i];
    if (training) {
        Real M = N * P, normal = (x[i] - mean[c]) * s;
        part = part - to_bias[c] / M - normal * to_weight[c] / M;
    }
    x_gradient[i] = weight[c] * s * part;
}
