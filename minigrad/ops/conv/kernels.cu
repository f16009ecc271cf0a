// Convolution: what lies around the matrix product, which is cuBLAS's.
//
// Images are (N, C, H, W), the columns (N, C, kh, kw, oh, ow), and the last axis runs fastest. A
// thread knows only its number, the place of what it computes. It finds its axes by peeling them off,
// the last one first: what is left after dividing by the length of an axis is the place along it.
//
// Windows: the one of output pixel (i, j) has its element (u, v) on the pixel
//     y = i · stride_y − top + u · dilation_y,    z = j · stride_x − left + v · dilation_x.

// Every entry of the columns takes the number of its pixel, or zero outside the image.
//
// Small images lie side by side in one matrix: (N / side, C, kh, kw, side, oh, ow).
extern "C" __global__ void im2col(
    Index count, const Real* x, Index C, Index H, Index W,
    Index kh, Index kw, Index oh, Index ow, Index stride_y, Index stride_x,
    Index top, Index left, Index dilation_y, Index dilation_x, Index side, Real* cols
) {
    Index place = THREAD;
    if (place >= count) return;
    Index rest = place;
    Index j = peel(rest, ow);
    Index i = peel(rest, oh);
    Index beside = peel(rest, side);
    Index v = peel(rest, kw);
    Index u = peel(rest, kh);
    Index c = peel(rest, C);
    Index n = rest * side + beside;

    Index y = i * stride_y - top + u * dilation_y;
    Index z = j * stride_x - left + v * dilation_x;
    bool inside = 0 <= y && y < H && 0 <= z && z < W;
    cols[place] = inside ? (Sum)x[((n * C + c) * H + y) * W + z] : 0;
}

// Every pixel sums the entries of the columns that took it.
//
// Seen from the pixel: element (u, v) of which window lay on it? Of the window i with
// i · stride_y = y + top − u · dilation_y, if that divides and there is such a window; so at most
// one for each (u, v). Nobody else writes to this pixel, and its sum is always in the same order.
// With `add` the sum is added to what x holds.
extern "C" __global__ void col2im(
    Index count, const Real* cols, Index C, Index H, Index W,
    Index kh, Index kw, Index oh, Index ow, Index stride_y, Index stride_x,
    Index top, Index left, Index dilation_y, Index dilation_x, Index side, Index add, Real* x
) {
    Index place = THREAD;
    if (place >= count) return;
    Index rest = place;
    Index z = peel(rest, W);
    Index y = peel(rest, H);
    Index c = peel(rest, C);
    Index beside = peel(rest, side), slab = rest;

    Sum total = 0;
    for (Index u = 0; u < kh; u++) {
        Index from_y = y + top - u * dilation_y;
        if (from_y < 0) continue;
        Index i = divided(from_y, stride_y);
        if (i * stride_y != from_y || i >= oh) continue;
        for (Index v = 0; v < kw; v++) {
            Index from_z = z + left - v * dilation_x;
            if (from_z < 0) continue;
            Index j = divided(from_z, stride_x);
            if (j * stride_x != from_z || j >= ow) continue;
            Index row = ((slab * C + c) * kh + u) * kw + v;
            total += (Sum)cols[((row * side + beside) * oh + i) * ow + j];
        }
    }
    x[place] = add ? (Sum)x[place] + total : total;
}

// From the product to the output, in one pass: (N / side, O, side, pixels) → (N, O, pixels), plus
// the bias of the channel, and ReLU if wanted. `bias` may be null. With side = 1 the places are the
// same, and so may the arrays be. NaN stays: no comparison with it is true.
extern "C" __global__ void finish(
    Index count, const Real* product, const Sum* bias,
    Index O, Index pixels, Index side, Index relu, Real* out
) {
    Index place = THREAD;
    if (place >= count) return;
    Index rest = place;
    Index p = peel(rest, pixels);
    Index o = peel(rest, O);
    Index beside = peel(rest, side), slab = rest;

    Sum value = product[((slab * O + o) * side + beside) * pixels + p];
    if (bias) value += bias[o];
    out[place] = relu && value <= 0 ? 0 : value;
}

// ReLU's gradient: it passes where the output is positive.
extern "C" __global__ void pass_positive(
    Index count, const Real* gradient, const Real* out, Real* slope
) {
    Index place = THREAD;
    if (place >= count) return;
    slope[place] = out[place] > 0 ? (Sum)gradient[place] : 0;
}

// Sum each row of `pixels` numbers in `lanes` parts: rows (R, pixels) → partial (R, lanes).
//
// The lanes of a row take turns, as 0 1 2 0 1 2 0 … Neighbouring threads read neighbouring numbers
// at the same time, which is how memory is fastest, and the order of each sum is always the same.
extern "C" __global__ void sum_rows(
    Index count, const Real* rows, Index pixels, Index lanes, Sum* partial
) {
    Index place = THREAD;
    if (place >= count) return;
    Index rest = place, lane = peel(rest, lanes);
    const Real* row = rows + rest * pixels;
    Sum total = 0;
    for (Index p = lane; p < pixels; p += lanes) total += (Sum)row[p];
    partial[place] = total;
}
