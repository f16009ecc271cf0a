"""Convolution, rung 3 for 3×3 windows with stride 1: Winograd's minimal filtering.

What it gains over im2col: the same sums with a quarter of the multiplications.

**The idea, in one dimension.** Four neighbouring outputs of a filter with three weights,
y_i = Σ_k x_{i+k} g_k, take 12 multiplications as written. They are also coefficients of a product
of two polynomials, and a polynomial of degree 5 is known from its values at 6 points. So:
evaluate both factors at 6 points, multiply the 6 pairs of values, and interpolate. That takes 6
multiplications, and three maps that only know constants::

    y = Aᵀ [ (G g) ⊙ (Bᵀ x) ]          x: 6 inputs, g: 3 weights, y: 4 outputs

In two dimensions the maps go along rows and along columns, and 4×4 outputs take 36 multiplications
instead of 144::

    Y = Aᵀ [ (G g Gᵀ) ⊙ (Bᵀ X B) ] A   X: a 6×6 tile of input, g: 3×3 weights

**Many channels.** The sum over channels can be taken before Aᵀ, so that each of the 36 values is a
matrix product of its own: (tiles, C) · (C, O). That is where the time goes; the maps cost little
if all channels of a tile go through them side by side.

**Backward.** The gradient of the input is a convolution as well, of the output's gradient with the
weights turned by 180° and C and O exchanged. The gradient of the weights follows from the formula,
which is linear in g: transpose all maps::

    ḡ = Gᵀ [ Σ (A Ȳ Aᵀ) ⊙ (Bᵀ X B) ] G      summed over tiles: 36 products (C, tiles) · (tiles, O)

**Rounding.** Other sums than im2col's, hence other roundings. How much they cost depends on the
points: they are 0, ±p, ±1/p and infinity with p = 2/3, for which the error is less than twice that
of the plain sum in root mean square; with the usual 0, ±1, ±2 it is more than three times as large.
It is never more than ::

    γ(C + 40) · |Aᵀ| [ Σ (|G| |g| |Gᵀ|) ⊙ (|Bᵀ| |X| |B|) ] |A|,    γ(n) = n·u / (1 − n·u)

with u = 2⁻²⁴: so many roundings, at most, lie between an input and an output. For the input's
gradient O takes the place of C, and for the weights' the number of tiles. Integers do not come out
exact; whoever needs them to calls `minigrad.allow_winograd` with False.

S. Winograd, "Arithmetic complexity of computations", 1980; A. Lavin and S. Gray, "Fast algorithms
for convolutional neural networks", CVPR 2016.
"""

import numpy as np

from minigrad.cpu.compiler import kernel
from minigrad.cpu.gemm import gemm
from minigrad.cpu.matmul import transposed
from minigrad.cpu.memory import empty
from minigrad.cpu.microkernel import ROWS
from minigrad.cpu.threads import run
from minigrad.cpu.tiles import both_axes
from minigrad.cpu.vectors import lanes

FEWEST = 32  # tiles that pay for transforming the weights
FULL = 6  # outputs of a tile that are wanted, on average
KERNEL, OUT = 3, 4  # weights, and outputs of a tile, along one axis
TASK_NUMBERS = 700_000  # a task forward works with, at most: what the caches of a core hold
GRADIENT_NUMBERS = 1_800_000  # of two transforms that wait to be multiplied
SIDE = OUT + KERNEL - 1
POINTS = SIDE * SIDE

P, Q = 2 / 3, 3 / 2  # the points; PQ = 1 makes most constants 1
P2, Q2, P3, Q3 = P**2, Q**2, P**3, Q**3
NP, NQ = 1 / (2 * P2 * (P2 - Q2)), 1 / (2 * Q2 * (Q2 - P2))


# -- the maps, along one axis ---------------------------------------------------------------------


def input_map(a, b, c, d, e, f):
    """Apply Bᵀ: six inputs to six values. Row i is Π (x − point) over all points but the i-th."""
    even_p, odd_p = e - Q2 * c, P * d - Q * b
    even_q, odd_q = e - P2 * c, Q * d - P * b
    return (
        a - (P2 + Q2) * c + e,
        even_p + odd_p, even_p - odd_p,
        even_q + odd_q, even_q - odd_q,
        b - (P2 + Q2) * d + f,
    )  # fmt: skip


def weight_map(a, b, c):
    """Apply G: three weights to the values of a + b·x + c·x² at the points.

    Each is divided by the value of the polynomial in the same row of Bᵀ.
    """
    even_p, odd_p = NP * (a + P2 * c), NP * P * b
    even_q, odd_q = NQ * (a + Q2 * c), NQ * Q * b
    return a, even_p + odd_p, even_p - odd_p, even_q + odd_q, even_q - odd_q, c


def output_map(a, b, c, d, e, f):
    """Apply Aᵀ: six products to four outputs. Row i holds the points to the power of i."""
    even_p, odd_p, even_q, odd_q = b + c, b - c, d + e, d - e
    return (
        a + even_p + even_q,
        P * odd_p + Q * odd_q,
        P2 * even_p + Q2 * even_q,
        P3 * odd_p + Q3 * odd_q + f,
    )


def output_map_transposed(a, b, c, d):
    """Apply A: the gradients of four outputs to those of six products."""
    even_p, odd_p = a + P2 * c, P * b + P3 * d
    even_q, odd_q = a + Q2 * c, Q * b + Q3 * d
    return a, even_p + odd_p, even_p - odd_p, even_q + odd_q, even_q - odd_q, d


def weight_map_transposed(a, b, c, d, e, f):
    """Apply Gᵀ: the gradients of six values to those of three weights."""
    even_p, odd_p, even_q, odd_q = NP * (b + c), NP * (b - c), NQ * (d + e), NQ * (d - e)
    return a + even_p + even_q, P * odd_p + Q * odd_q, P2 * even_p + Q2 * even_q + f


transform_input = both_axes(input_map, SIDE)
transform_weight = both_axes(weight_map, KERNEL)
transform_output = both_axes(output_map, SIDE)
transform_output_gradient = both_axes(output_map_transposed, OUT)
transform_weight_gradient = both_axes(weight_map_transposed, SIDE)


# -- when -----------------------------------------------------------------------------------------

_allowed = True


def allow_winograd(allowed: bool) -> None:
    """Let float32 convolutions with 3×3 windows and stride 1 go Winograd's way, or not.

    They do at first, where the images are large enough for it to be faster. The results differ
    in their last digits; see `minigrad.ops.conv.winograd` for by how much.

    Parameters
    ----------
    allowed : bool
    """
    global _allowed
    if not isinstance(allowed, bool):
        raise TypeError(f"allow_winograd: allowed must be a bool, got {allowed!r}")
    _allowed = allowed


def suits(x_shape, weight_shape, dtype, stride, padding, dilation, groups):
    """Tell whether a convolution goes this way: float32, 3×3, whole registers, enough tiles."""
    (N, C, H, W), (O, _, *kernel_size) = x_shape, weight_shape
    if (*kernel_size, *stride, *dilation, groups) != (3, 3, 1, 1, 1, 1, 1):
        return False
    (top, bottom), (left, right) = padding
    fitting = _allowed and dtype == np.float32 and C % lanes(4) == O % lanes(4) == 0
    oh, ow = H + top + bottom - 2, W + left + right - 2
    tiles = N * _tiles(oh) * _tiles(ow)
    # A tile costs 36 multiplications however few of its 16 outputs are wanted, with 9 each.
    full = N * oh * ow >= FULL * tiles
    return fitting and max(top, bottom, left, right) < KERNEL and tiles >= FEWEST and full


# -- the three products ---------------------------------------------------------------------------


def forward(image, filters, bias, origin, size, relu):
    """Weigh and sum each window: (N, H, W, C), (3, 3, C, O) → (N, *size, O)."""
    C, O = filters.shape[2:]
    weights = empty((POINTS, C + 1, O), image.dtype)
    run(_weights, C, filters, weights)
    return _products(image, weights, bias, origin, size, relu)


def input_gradient(slope, filters, origin, size):
    """Hand each output's gradient back to the pixels it saw: → (N, *size, C)."""
    C, O = filters.shape[2:]
    turned = transposed(filters.reshape(-1, O)).reshape(O, KERNEL, KERNEL, C)
    weights = empty((POINTS, O + 1, C), slope.dtype)
    run(_turned_weights, O, turned, weights)
    border = KERNEL - 1 - origin[0], KERNEL - 1 - origin[1]
    return _products(slope, weights, np.zeros(C, slope.dtype), border, size, False)


def weight_gradient(slope, image, origin):
    """Hand each output's gradient back to the weights it used: → (3, 3, C, O)."""
    (N, oh, ow, O), C = slope.shape, image.shape[3]
    tiles = N * _tiles(oh) * _tiles(ow)
    step = min(max(GRADIENT_NUMBERS // (POINTS * (C + O)), ROWS), tiles)
    values = empty((POINTS, step + 1, C), image.dtype)
    slopes = empty((POINTS, step + 1, O), image.dtype)
    total = empty((POINTS, C + 1, O), image.dtype)
    for start in range(0, tiles, step):
        count = min(step, tiles - start)
        run(
            _both_transforms, count, image, slope, values, slopes, start, origin,
            scratch=(POINTS * max(C, O), image.dtype),
        )  # fmt: skip
        run(_sums, POINTS, values[:, :count], slopes[:, :count], total[:, :C], start > 0)
    gradient = empty((KERNEL, KERNEL, C, O), image.dtype)
    run(_weight_gradient, C, total, gradient)
    return gradient


def _products(image, weights, bias, origin, size, relu):
    """Go from the input to the output, some tiles at a time."""
    C, O = image.shape[3], weights.shape[2]
    out = empty((len(image), *size, O), image.dtype)
    tiles = len(image) * _tiles(size[0]) * _tiles(size[1])
    rows = _rows(tiles, C + O)
    run(
        _forward, -(-tiles // rows), image, weights, bias, out, rows, origin, relu,
        scratch=(POINTS * ((rows + 1) * (C + O) + C) + OUT * OUT * O, image.dtype),
    )  # fmt: skip
    return out


def _rows(tiles, channels):
    """Choose how many tiles a task makes: their numbers stay in the cache, and tasks come in fours.

    A row more is kept for each of the 36 planes than is used, so that they do not begin at the
    same lines of the cache.
    """
    most = min(max(TASK_NUMBERS // (POINTS * channels * ROWS), 1), 3) * ROWS
    tasks = 4 * -(-tiles // (4 * most))
    return -(-tiles // (tasks * ROWS)) * ROWS


def _tiles(length):
    return -(-length // OUT)


@kernel
def _weights(first, last, filters, weights):
    """Task c transforms the weights of input channel c."""
    C, O = filters.shape[2:]
    flat, flat_out = filters.reshape(-1), weights.reshape(-1)
    step, step_out = C * O, (C + 1) * O
    for c in range(first, last):
        transform_weight(
            flat, c * O, KERNEL * step, step, flat_out, c * O, SIDE * step_out, step_out, O
        )


@kernel
def _turned_weights(first, last, filters, weights):
    """Task o transforms the weights (O, 3, 3, C) of output channel o, turned by 180°."""
    O, _, _, C = filters.shape
    flat, flat_out = filters.reshape(-1), weights.reshape(-1)
    step_out = (O + 1) * C
    for o in range(first, last):
        corner = (o + 1) * KERNEL * KERNEL * C - C  # the last weight
        transform_weight(
            flat, corner, -KERNEL * C, -C, flat_out, o * C, SIDE * step_out, step_out, C
        )


@kernel
def _weight_gradient(first, last, total, gradient):
    """Task c transforms back the gradient of the weights of input channel c."""
    C, O = gradient.shape[2:]
    flat, flat_out = total.reshape(-1), gradient.reshape(-1)
    step, step_out = (C + 1) * O, C * O
    for c in range(first, last):
        transform_weight_gradient(
            flat, c * O, SIDE * step, step, flat_out, c * O, KERNEL * step_out, step_out, O
        )


@kernel
def _copy_tile(image, n, y, x, side, tile):
    """Copy side × side pixels of image n from (y, x) on; what lies outside is zero."""
    _, H, W, C = image.shape
    flat = image.reshape(-1)
    at = 0
    for i in range(y, y + side):
        for j in range(x, x + side):
            target = tile[at : at + C]
            if 0 <= i < H and 0 <= j < W:
                start = ((n * H + i) * W + j) * C
                source = flat[start : start + C]
                for c in range(C):
                    target[c] = source[c]
            else:
                for c in range(C):
                    target[c] = 0
            at += C


@kernel
def _transform_input(image, n, y, x, tile, values, to, step):
    """Transform the tile of inputs whose first pixel is (y, x)."""
    _, H, W, C = image.shape
    if y >= 0 and x >= 0 and y + SIDE <= H and x + SIDE <= W:
        at = ((n * H + y) * W + x) * C
        transform_input(image.reshape(-1), at, W * C, C, values, to, SIDE * step, step, C)
    else:
        _copy_tile(image, n, y, x, SIDE, tile)
        transform_input(tile, 0, SIDE * C, C, values, to, SIDE * step, step, C)


@kernel
def _forward(first, last, image, weights, bias, out, rows, origin, relu, work):
    """Task t makes the tiles t·rows …: transform, 36 products, transform back."""
    (N, oh, ow, O), C = out.shape, image.shape[3]
    down, across = -(-oh // OUT), -(-ow // OUT)
    tiles = N * down * across
    # What a thread works with: values, products, one tile of inputs, one of outputs.
    step_in, step_out = (rows + 1) * C, (rows + 1) * O
    flat_values, rest = work[: POINTS * step_in], work[POINTS * step_in :]
    flat_products, rest = rest[: POINTS * step_out], rest[POINTS * step_out :]
    tile, made = rest[: POINTS * C], rest[POINTS * C :]
    values = flat_values.reshape(POINTS, rows + 1, C)
    products = flat_products.reshape(POINTS, rows + 1, O)
    flat_out, zero = out.reshape(-1), out.dtype.type(0)
    for task in range(first, last):
        start, end = task * rows, min((task + 1) * rows, tiles)
        for t in range(start, end):
            n, i, j = t // (down * across), t // across % down * OUT, t % across * OUT
            to = (t - start) * C
            _transform_input(image, n, i - origin[0], j - origin[1], tile, flat_values, to, step_in)
        for k in range(POINTS):
            gemm(values[k, : end - start], weights[k, :C], products[k, : end - start], False, False)
        for t in range(start, end):
            n, i, j = t // (down * across), t // across % down * OUT, t % across * OUT
            at = (t - start) * O
            transform_output(flat_products, at, SIDE * step_out, step_out, made, 0, OUT * O, O, O)
            for u in range(min(OUT, oh - i)):
                for v in range(min(OUT, ow - j)):
                    pixel = ((n * oh + i + u) * ow + j + v) * O
                    target = flat_out[pixel : pixel + O]
                    source = made[(u * OUT + v) * O : (u * OUT + v + 1) * O]
                    for o in range(O):
                        value = source[o] + bias[o]
                        target[o] = zero if relu and value <= 0 else value


@kernel
def _both_transforms(first, last, image, slope, values, slopes, start, origin, tile):
    """Task t transforms tile start + t of the inputs, and of the outputs' gradients."""
    (_, oh, ow, O), C = slope.shape, image.shape[3]
    down, across = -(-oh // OUT), -(-ow // OUT)
    flat_values, flat_slopes = values.reshape(-1), slopes.reshape(-1)
    flat_slope = slope.reshape(-1)
    for task in range(first, last):
        t = start + task
        n, i, j = t // (down * across), t // across % down * OUT, t % across * OUT
        step = values.shape[1] * C
        _transform_input(image, n, i - origin[0], j - origin[1], tile, flat_values, task * C, step)
        to, step = task * O, slopes.shape[1] * O
        if i + OUT <= oh and j + OUT <= ow:
            at = ((n * oh + i) * ow + j) * O
            transform_output_gradient(
                flat_slope, at, ow * O, O, flat_slopes, to, SIDE * step, step, O
            )
        else:
            _copy_tile(slope, n, i, j, OUT, tile)
            transform_output_gradient(tile, 0, OUT * O, O, flat_slopes, to, SIDE * step, step, O)


@kernel
def _sums(first, last, values, slopes, total, add):
    """Task k sums the products of the k-th values over the tiles."""
    for k in range(first, last):
        gemm(values[k], slopes[k], total[k], True, add)
