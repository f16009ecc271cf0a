// Pooling. Forward, one thread for each number of the output: it walks over its window. Backward,
// one thread for each pixel: it gathers from the windows that see it, always in the same order, so
// that no two threads write to the same place.
//
// An image here is one channel of one example: H rows of W pixels, and its output oh rows of ow
// windows. Images follow each other, and so do their outputs:
//
//     t = (image * oh + i) * ow + j     is window (i, j);     row by row the same with pixel (y, z)

// The window whose element u lies at pixel y, along one axis, or -1 if there is none: it has to
// start u * dilation before y, where one window in every `stride` places starts.
__device__ Index window_over(
    Index y, Index u, Index stride, Index before, Index dilation, Index windows
) {
    Index start = y + before - u * dilation;  // from the beginning of the padding
    if (start < 0) return -1;
    Index window = divided(start, stride);
    return window * stride == start && window < windows ? window : -1;
}

// -- the maximum ----------------------------------------------------------------------------------
//
// Winners are bytes if they all fit into a byte, or else ints: of the two pointers one is null.

// The largest pixel that window (i, j) sees, and its number u * kw + v. A window that sees none
// gives `nothing`, which is minus infinity, and winner 0.
extern "C" __global__ void max_pool2d_forward(
    Index count, const Real* x, Real* out, unsigned char* bytes, int* ints, Sum nothing,
    Index H, Index W, Index oh, Index ow, Index kh, Index kw, Index stride_h, Index stride_w,
    Index top, Index left, Index dilation_h, Index dilation_w
) {
    Index t = THREAD;
    if (t >= count) return;
    Index rest = t, j = peel(rest, ow), i = peel(rest, oh);
    const Real* image = x + rest * (H * W);
    Sum best = nothing;
    Index winner = 0;
    bool seen = false;
    for (Index u = 0; u < kh; u++) {
        Index y = i * stride_h - top + u * dilation_h;
        if (y < 0 || y >= H) continue;
        for (Index v = 0; v < kw; v++) {
            Index z = j * stride_w - left + v * dilation_w;
            if (z < 0 || z >= W) continue;
            Sum value = image[y * W + z];
            // The first of equals stays. So does the first NaN: no comparison with it is true.
            if (!seen || value > best || (isnan(value) && !isnan(best))) {
                best = value;
                winner = u * kw + v;
                seen = true;
            }
        }
    }
    out[t] = best;
    if (bytes) bytes[t] = (unsigned char)winner;
    else ints[t] = (int)winner;
}

// Pixel (y, z) adds up the gradients of the windows that it won. Elements are taken from the last
// to the first: so the windows come from the first to the last.
extern "C" __global__ void max_pool2d_input_gradient(
    Index count, const Real* gradient, const unsigned char* bytes, const int* ints,
    Real* x_gradient,
    Index H, Index W, Index oh, Index ow, Index kh, Index kw, Index stride_h, Index stride_w,
    Index top, Index left, Index dilation_h, Index dilation_w
) {
    Index t = THREAD;
    if (t >= count) return;
    Index rest = t, z = peel(rest, W), y = peel(rest, H);
    Index first = rest * (oh * ow);  // window (0, 0) of this image
    Sum total = 0;
    for (Index u = kh - 1; u >= 0; u--) {
        Index i = window_over(y, u, stride_h, top, dilation_h, oh);
        if (i < 0) continue;
        for (Index v = kw - 1; v >= 0; v--) {
            Index j = window_over(z, v, stride_w, left, dilation_w, ow);
            if (j < 0) continue;
            Index window = first + i * ow + j;
            Index winner = bytes ? bytes[window] : ints[window];
            if (winner == u * kw + v) total += (Sum)gradient[window];
        }
    }
    x_gradient[t] = total;
}

// -- the average ----------------------------------------------------------------------------------

// How many elements of window i count, along one axis: with padding, those that lie in the image or
// in its padding; without, those in the image. In ceil mode the last window may reach past both.
__device__ Index counted(
    Index i, Index kernel, Index stride, Index before, Index length, Index after, Index with_padding
) {
    // Places from the beginning of the padding.
    Index start = i * stride, end = start + kernel;
    Index counts_from = with_padding ? 0 : before;
    Index counts_to = with_padding ? before + length + after : before + length;
    if (start < counts_from) start = counts_from;
    if (end > counts_to) end = counts_to;
    return end > start ? end - start : 0;
}

// The sum of the pixels that window (i, j) sees, divided by how many elements count.
extern "C" __global__ void avg_pool2d_forward(
    Index count, const Real* x, Real* out,
    Index H, Index W, Index oh, Index ow, Index kh, Index kw, Index stride_h, Index stride_w,
    Index top, Index bottom, Index left, Index right, Index with_padding
) {
    Index t = THREAD;
    if (t >= count) return;
    Index rest = t, j = peel(rest, ow), i = peel(rest, oh);
    const Real* image = x + rest * (H * W);
    Sum total = 0;
    for (Index u = 0; u < kh; u++) {
        Index y = i * stride_h - top + u;
        if (y < 0 || y >= H) continue;
        for (Index v = 0; v < kw; v++) {
            Index z = j * stride_w - left + v;
            if (z < 0 || z >= W) continue;
            total += (Sum)image[y * W + z];
        }
    }
    Index rows = counted(i, kh, stride_h, top, H, bottom, with_padding);
    Index columns = counted(j, kw, stride_w, left, W, right, with_padding);
    out[t] = total / (Sum)(rows * columns);
}

// Pixel (y, z) gets its share of every window that sees it, in the order of the windows.
extern "C" __global__ void avg_pool2d_input_gradient(
    Index count, const Real* gradient, Real* x_gradient,
    Index H, Index W, Index oh, Index ow, Index kh, Index kw, Index stride_h, Index stride_w,
    Index top, Index bottom, Index left, Index right, Index with_padding
) {
    Index t = THREAD;
    if (t >= count) return;
    Index rest = t, z = peel(rest, W), y = peel(rest, H);
    Index first = rest * (oh * ow);  // window (0, 0) of this image
    Sum total = 0;
    for (Index u = kh - 1; u >= 0; u--) {
        Index i = window_over(y, u, stride_h, top, 1, oh);
        if (i < 0) continue;
        Index rows = counted(i, kh, stride_h, top, H, bottom, with_padding);
        for (Index v = kw - 1; v >= 0; v--) {
            Index j = window_over(z, v, stride_w, left, 1, ow);
            if (j < 0) continue;
            Index columns = counted(j, kw, stride_w, left, W, right, with_padding);
            total += (Sum)gradient[first + i * ow + j] / (Sum)(rows * columns);
        }
    }
    x_gradient[t] = total;
}

// -- the adaptive average -------------------------------------------------------------------------
//
// Of `count` windows that cover `length` pixels, window i has those from begin(i, length, count) to
// before end(i, length, count), which are i * length / count rounded down, and (i + 1) * length /
// count rounded up. The other way round it is the same: pixel y is seen by the windows from
// begin(y, count, length) to before end(y, count, length), because
//
//     y  is in window  i   <=>   i * length < (y + 1) * count   and   y * count < (i + 1) * length
//
// in which pixels and windows can change places.

__device__ Index begin(Index i, Index length, Index count) {
    return divided(i * length, count);
}

__device__ Index end(Index i, Index length, Index count) {
    return divided((i + 1) * length + count - 1, count);
}

// The average of the pixels of window (i, j).
extern "C" __global__ void adaptive_avg_pool2d_forward(
    Index count, const Real* x, Real* out, Index H, Index W, Index oh, Index ow
) {
    Index t = THREAD;
    if (t >= count) return;
    Index rest = t, j = peel(rest, ow), i = peel(rest, oh);
    const Real* image = x + rest * (H * W);
    Index top = begin(i, H, oh), bottom = end(i, H, oh);
    Index left = begin(j, W, ow), right = end(j, W, ow);
    Sum total = 0;
    for (Index y = top; y < bottom; y++)
        for (Index z = left; z < right; z++) total += (Sum)image[y * W + z];
    out[t] = total / (Sum)((bottom - top) * (right - left));
}

// Pixel (y, z) gets its share of every window that sees it, in the order of the windows.
extern "C" __global__ void adaptive_avg_pool2d_input_gradient(
    Index count, const Real* gradient, Real* x_gradient, Index H, Index W, Index oh, Index ow
) {
    Index t = THREAD;
    if (t >= count) return;
    Index rest = t, z = peel(rest, W), y = peel(rest, H);
    const Real* windows = gradient + rest * (oh * ow);  // of this image
    Sum total = 0;
    for (Index i = begin(y, oh, H); i < end(y, oh, H); i++) {
        Index rows = end(i, H, oh) - begin(i, H, oh);
        for (Index j = begin(z, ow, W); j < end(z, ow, W); j++) {
            Index columns = end(j, W, ow) - begin(j, W, ow);
            total += (Sum)windows[i * ow + j] / (Sum)(rows * columns);
        }
    }
    x_gradient[t] = total;
}
