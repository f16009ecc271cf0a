// Softmax and cross entropy of rows (R, C), C ≥ 1. One thread for each row, which walks it in order.

// The largest number of a row. A NaN may be passed over: it comes back in the row's sum.
__device__ Real largest(const Real* row, Index C) {
    Real most = row[0];
    for (Index c = 1; c < C; c++)
        if (row[c] > most) most = row[c];
    return most;
}

// p = exp(x − largest) / Σ exp(x − largest). A row of −∞ gives −∞ − −∞, which is NaN.
extern "C" __global__ void softmax_forward(Index count, const Real* x, Index C, Real* out) {
    Index r = THREAD;
    if (r >= count) return;
    const Real* row = x + r * C;
    Real *p = out + r * C, most = largest(row, C), total = 0;
    for (Index c = 0; c < C; c++) {
        p[c] = exp(row[c] - most);
        total += p[c];
    }
    for (Index c = 0; c < C; c++) p[c] /= total;
}

// p·(G − Σ G·p).
extern "C" __global__ void softmax_input_gradient(
    Index count, const Real* gradient, const Real* out, Index C, Real* x_gradient
) {
    Index r = THREAD;
    if (r >= count) return;
    const Real *g = gradient + r * C, *p = out + r * C;
    Real inner = 0;
    for (Index c = 0; c < C; c++) inner += g[c] * p[c];
    for (Index c = 0; c < C; c++) x_gradient[r * C + c] = p[c] * (g[c] - inner);
}

// l = x − largest − log Σ exp(x − largest).
extern "C" __global__ void log_softmax_forward(Index count, const Real* x, Index C, Real* out) {
    Index r = THREAD;
    if (r >= count) return;
    const Real* row = x + r * C;
    Real most = largest(row, C), total = 0;
    for (Index c = 0; c < C; c++) total += exp(row[c] - most);
    Real log_total = log(total);
    for (Index c = 0; c < C; c++) out[r * C + c] = row[c] - most - log_total;
}

// G − p·Σ G, where p = exp(out).
extern "C" __global__ void log_softmax_input_gradient(
    Index count, const Real* gradient, const Real* out, Index C, Real* x_gradient
) {
    Index r = THREAD;
    if (r >= count) return;
    const Real *g = gradient + r * C, *l = out + r * C;
    Real total = 0;
    for (Index c = 0; c < C; c++) total += g[c];
    for (Index c = 0; c < C; c++) x_gradient[r * C + c] = g[c] - exp(l[c]) * total;
}

// The loss −Σ q·l and the probabilities p of each row. The truth q is, with the target y,
//     q[c] = truth·w[y]·[c = y]  +  spread·w[c]
extern "C" __global__ void cross_entropy_forward(
    Index count, const Real* logits, const Index* target, const Real* weight, Real truth,
    Real spread, Index ignore_index, Index C, Real* losses, Real* probabilities
) {
    Index r = THREAD;
    if (r >= count) return;
    const Real* row = logits + r * C;
    Real *p = probabilities + r * C, most = largest(row, C), total = 0;
    for (Index c = 0; c < C; c++) {
        p[c] = exp(row[c] - most);
        total += p[c];
    }
    for (Index c = 0; c < C; c++) p[c] /= total;
    Index y = target[r];
    losses[r] = 0;
    if (y == ignore_index) return;
    Real log_total = log(total), loss = -truth * weight[y] * (row[y] - most - log_total);
    if (spread > 0)  // or else 0·−∞ would be met
        for (Index c = 0; c < C; c++) loss -= spread * weight[c] * (row[c] - most - log_total);
    losses[r] = loss;
}

// (p·Σ q − q) times the gradient of the row's loss; 0 in rows that are ignored, whatever p is.
extern "C" __global__ void cross_entropy_input_gradient(
    Index count, const Real* gradient, const Real* probabilities, const Index* target,
    const Real* weight, Real truth, Real spread, Index ignore_index, Index C, Real* x_gradient
) {
    Index r = THREAD;
    if (r >= count) return;
    const Real* p = probabilities + r * C;
    Real *out = x_gradient + r * C, total = 0;
    Index y = target[r];
    if (y == ignore_index) {
        for (Index c = 0; c < C; c++) out[c] = 0;
        return;
    }
    for (Index c = 0; c < C; c++)
        total += spread * weight[c] + (c == y ? truth * weight[y] : 0);
    for (Index c = 0; c < C; c++) {
        Real q = spread * weight[c] + (c == y ? truth * weight[y] : 0);
        out[c] = gradient[r] * (p[c] * total - q);
    }
}

// −w[y]·l[y].
extern "C" __global__ void nll_forward(
    Index count, const Real* log_probabilities, const Index* target, const Real* weight,
    Index ignore_index, Index C, Real* losses
) {
    Index r = THREAD;
    if (r >= count) return;
    Index y = target[r];
    losses[r] = y == ignore_index ? 0 : -weight[y] * log_probabilities[r * C + y];
}

// −w[y] at the target, times the gradient of the row's loss. One thread for each number.
extern "C" __global__ void nll_input_gradient(
    Index count, const Real* gradient, const Index* target, const Real* weight, Index ignore_index,
    Index C, Real* x_gradient
) {
    Index i = THREAD;
    if (i >= count) return;
    Index r = i / C, c = i % C, y = target[r];
    x_gradient[i] = c == y && y != ignore_index ? -weight[y] * gradient[r] : 0;
}
