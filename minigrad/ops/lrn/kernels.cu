// Local response normalisation. One thread for each number: it sums its window of channels.
//
// Pixels of a channel lie side by side, and channels follow each other: thread t works on channel
// t / pixels % C, and the same pixel of channel i lies (i - c) * pixels further on. Threads that
// are neighbours read neighbours, whichever channel they have come to.

// scale[c] = k + share * (the sum of x[i]^2 over the window of c), share = alpha / size;
// out[c] = x[c] * scale[c]^(-beta).
extern "C" __global__ void lrn_forward(
    Index count, const Real* x, Real* out, Sum* scale, Index C, Index pixels, Index size,
    Sum share, Sum beta, Sum k
) {
    Index t = THREAD;
    if (t >= count) return;
    Index c = divided(t, pixels) % C;
    Sum squares = 0;
    for (Index i = c - size / 2; i <= c + (size - 1) / 2; i++) {
        if (i < 0 || i >= C) continue;
        Sum neighbour = x[t + (i - c) * pixels];
        squares += neighbour * neighbour;
    }
    Sum damping = k + share * squares, value = x[t];
    scale[t] = damping;
    out[t] = value * pow(damping, -beta);
}

// Channel i moves its own output, and through the scale all those whose window holds i. These are
// the window turned around: size / 2 changes places with (size - 1) / 2.
extern "C" __global__ void lrn_input_gradient(
    Index count, const Real* gradient, const Real* x, const Sum* scale, Real* x_gradient,
    Index C, Index pixels, Index size, Sum weight, Sum beta
) {
    Index t = THREAD;
    if (t >= count) return;
    Index i = divided(t, pixels) % C;
    Sum through_scale = 0;
    for (Index c = i - (size - 1) / 2; c <= i + size / 2; c++) {
        if (c < 0 || c >= C) continue;
        Index at = t + (c - i) * pixels;
        through_scale += (Sum)gradient[at] * (Sum)x[at] * pow(scale[at], -beta - 1);
    }
    // weight = 2 * alpha / size * beta
    Sum direct = (Sum)gradient[t] * pow(scale[t], -beta);
    x_gradient[t] = direct - weight * (Sum)x[t] * through_scale;
}
