"""Mistakes in convolution, im2col and col2im."""
# A mistake takes what it breaks, and its docstring tells a story.
# mypy: allow-untyped-defs, no-check-untyped-defs
# ruff: noqa: D401

import numpy as np

from minigrad.cpu import get_num_threads
from minigrad.ops import conv
from minigrad.testing.mutants.mutant import Mutant, at, every_rung, mutant, together

# **folded is what the operation may ask of a kernel besides: relu=True, or into=array.
RUNGS = conv.RUNGS
ALL_THREE = "conv2d_forward", "conv2d_input_gradient", "conv2d_weight_gradient"

# -- forward: the author understood something else by convolution --------------------------------


@mutant("conv2d", every_rung(RUNGS, "conv2d_forward"))
def conv2d_kernel_turned(sound, x, weight, *rest, **folded):
    """The kernel is turned by half a turn, as in the convolution of mathematicians."""
    return sound(x, weight[..., ::-1, ::-1], *rest, **folded)


@mutant("conv2d", every_rung(RUNGS, "conv2d_forward", "conv2d_input_gradient"))
def _kernel_transposed(sound, array, weight, *rest, **folded):
    return sound(
        array, weight.swapaxes(2, 3) if _is_square(weight.shape) else weight, *rest, **folded
    )


@mutant("conv2d", every_rung(RUNGS, "conv2d_weight_gradient"))
def _kernel_transposed_back(sound, gradient, x, weight_shape, *rest):
    result = sound(gradient, x, weight_shape, *rest)
    return result.swapaxes(2, 3) if _is_square(weight_shape) else result


def _is_square(weight_shape):
    return weight_shape[2] == weight_shape[3]


conv2d_kernel_transposed = Mutant(
    "conv2d-kernel-transposed",
    "conv2d",
    "Rows and columns of square kernels are exchanged, forward and backward alike, so that the "
    "gradients are those of what is computed.",
    together(_kernel_transposed, _kernel_transposed_back),
)


@mutant("conv2d", every_rung(RUNGS, "conv2d_forward"))
def conv2d_channels_exchanged(sound, x, weight, *rest, **folded):
    """Where there are as many inputs as outputs, weight (O, C, …) is read as (C, O, …)."""
    return sound(
        x, weight.swapaxes(0, 1) if len(weight) == weight.shape[1] else weight, *rest, **folded
    )


@mutant("conv2d", every_rung(RUNGS, "conv2d_forward"))
def conv2d_bias_forgotten(sound, x, weight, bias, *geometry, **folded):
    """The bias is not added."""
    return sound(x, weight, None, *geometry, **folded)


@mutant("conv2d", every_rung(RUNGS, *ALL_THREE))
def conv2d_strides_exchanged(sound, *arguments, **folded):
    """Height gets the stride of width, forward and backward alike; square strides hide it."""
    *arrays, stride, padding, dilation, groups = arguments
    return sound(*arrays, stride[::-1], padding, dilation, groups, **folded)


@mutant("conv2d", every_rung(RUNGS, *ALL_THREE))
def conv2d_paddings_exchanged(sound, *arguments, **folded):
    """Height gets the padding of width, forward and backward alike."""
    *arrays, stride, padding, dilation, groups = arguments
    return sound(*arrays, stride, padding[::-1], dilation, groups, **folded)


@mutant("conv2d", every_rung(RUNGS, *ALL_THREE))
def conv2d_dilations_exchanged(sound, *arguments, **folded):
    """Height gets the dilation of width, forward and backward alike."""
    *arrays, stride, padding, dilation, groups = arguments
    return sound(*arrays, stride, padding, dilation[::-1], groups, **folded)


@mutant("conv2d", every_rung(RUNGS, *ALL_THREE))
def conv2d_dilation_ignored(sound, *arguments, **folded):
    """Kernels are never spread: dilation is taken, checked and forgotten."""
    *arrays, stride, padding, dilation, groups = arguments
    return sound(*arrays, stride, padding, (1, 1), groups, **folded)


@mutant("conv2d", every_rung(RUNGS, "conv2d_forward"))
def conv2d_groups_interleaved(sound, x, weight, bias, stride, padding, dilation, groups, **folded):
    """Channel c belongs to group c mod groups, and not to its block of neighbours."""
    order = np.arange(x.shape[1]).reshape(-1, groups).T.reshape(-1)
    return sound(x[:, order], weight, bias, stride, padding, dilation, groups, **folded)


@mutant("conv2d", at(conv, "window_padding"))
def conv2d_same_pads_the_wrong_end(sound, *arguments):
    """With padding "same" an even kernel needs one more pixel at one end: it gets it in front."""
    return tuple(ends[::-1] for ends in sound(*arguments))


# -- backward ------------------------------------------------------------------------------------


@mutant("conv2d", every_rung(RUNGS, "conv2d_input_gradient"))
def conv2d_input_gradient_kernel_turned(sound, gradient, weight, *rest, **folded):
    """The way back is a convolution with the turned kernel; here it is turned once too often."""
    return sound(gradient, weight[..., ::-1, ::-1], *rest, **folded)


@mutant("conv2d", every_rung(RUNGS, "conv2d_input_gradient"))
def conv2d_input_gradient_cuts_the_wrong_padding(
    sound, gradient, weight, shape, *geometry, **folded
):
    """The padded gradient is cropped as if all of the padding stood in front."""
    stride, padding, dilation, groups = geometry
    grown = tuple((0, before + after) for before, after in padding)
    return sound(gradient, weight, shape, stride, grown, dilation, groups, **folded)


@mutant("conv2d", every_rung(RUNGS, "conv2d_weight_gradient"))
def conv2d_weight_gradient_of_the_last_image(sound, gradient, x, *rest):
    """A loop over the batch assigns where it should add: the last image decides."""
    return sound(gradient[-1:], x[-1:], *rest)


@mutant("conv2d", every_rung(RUNGS, "conv2d_weight_gradient"))
def conv2d_weight_gradient_averaged(sound, gradient, x, *rest):
    """The mean over the batch is taken here, though the loss took it already."""
    return sound(gradient / gradient.dtype.type(max(len(x), 1)), x, *rest)


@mutant("conv2d", every_rung(RUNGS, "conv2d_weight_gradient"))
def conv2d_weight_gradient_ignores_stride(sound, gradient, x, weight_shape, *geometry):
    """The windows of the weights' gradient lie side by side, whatever the stride."""
    return sound(gradient, x, weight_shape, (1, 1), *geometry[1:])


@mutant("conv2d", every_rung(RUNGS, "conv2d_bias_gradient"))
def conv2d_bias_gradient_dropped(sound, gradient):
    """The bias never learns: its gradient is zero."""
    return np.zeros_like(sound(gradient))


@mutant("conv2d", every_rung(RUNGS, "conv2d_bias_gradient"))
def conv2d_bias_gradient_of_a_mean(sound, gradient):
    """The gradient of the bias is averaged over the pixels, where each of them met it."""
    return sound(gradient) / gradient.dtype.type(max(gradient.shape[2] * gradient.shape[3], 1))


# -- im2col and col2im ---------------------------------------------------------------------------


@mutant("im2col", every_rung(RUNGS, "im2col"))
def _columns_first(sound, x, kernel_size, *rest):
    cols = sound(x, kernel_size, *rest)
    N, _, L = cols.shape
    return cols.reshape(N, x.shape[1], *kernel_size, L).swapaxes(2, 3).reshape(cols.shape)


@mutant("im2col", every_rung(RUNGS, "col2im"))
def _columns_first_back(sound, cols, input_shape, kernel_size, *rest):
    N, _, L = cols.shape
    turned = cols.reshape(N, input_shape[1], *kernel_size[::-1], L).swapaxes(2, 3)
    return sound(np.ascontiguousarray(turned).reshape(cols.shape), input_shape, kernel_size, *rest)


im2col_rows_in_another_order = Mutant(
    "im2col-rows-in-another-order",
    "im2col",
    "The rows of a column run over the kernel's columns before its rows. col2im agrees, so that "
    "the two are still each other's transpose.",
    together(_columns_first, _columns_first_back),
)


@mutant("im2col", every_rung(RUNGS, "im2col"))
def im2col_repeats_the_border(sound, x, kernel_size, stride, padding, dilation):
    """Padding repeats the pixels of the border instead of holding zeros."""
    padded = np.pad(x, ((0, 0), (0, 0), *padding), mode="edge")
    return sound(padded, kernel_size, stride, ((0, 0), (0, 0)), dilation)


@mutant("col2im", every_rung(RUNGS, "col2im"))
def col2im_last_write_wins(sound, cols, *rest):
    """A pixel that several windows see keeps what the last of them wrote: assigned, not added."""
    image = np.zeros_like(sound(cols, *rest))
    for window in range(cols.shape[2]):
        only = np.zeros_like(cols)
        only[..., window] = 1
        seen = sound(only, *rest) > 0
        image[seen] = sound(only * cols, *rest)[seen]
    return image


@mutant("col2im", every_rung(RUNGS, "col2im"))
def col2im_as_the_inverse(sound, cols, *rest):
    """Overlaps are averaged, so that col2im undoes im2col. Its transpose, which adds, is wanted."""
    return sound(cols, *rest) / np.maximum(sound(np.ones_like(cols), *rest), 1)


# -- in one rung only ----------------------------------------------------------------------------


@mutant("conv2d", at(conv.cpu, "conv2d_forward"))
def conv2d_last_pixel_of_a_tile(sound, *arguments, **folded):
    """The fast rung forgets what is left over when pixels do not fill its last tile."""
    out = sound(*arguments, **folded)
    if out[:, 0].size % 2:
        out[-1, :, -1, -1] = 0
    return out


@mutant("conv2d", at(conv.cpu, "conv2d_forward"))
def conv2d_sums_in_float32(sound, *arguments, **folded):
    """The fast rung holds its sums in float32 whatever the dtype: half the digits are noise."""
    x, weight, bias, *geometry = arguments
    small = [None if a is None else a.astype(np.float32) for a in (x, weight, bias)]
    return sound(*small, *geometry, **folded).astype(x.dtype)


@mutant("conv2d", at(conv.cpu, "conv2d_input_gradient"), historical=True)
def conv2d_threads_overwrite_each_other(sound, gradient, weight, *rest, **folded):
    """Two threads added to the same pixels, and one of two updates was lost now and then."""
    if get_num_threads() > 1 and gradient.shape[3] > 1:
        gradient = gradient.copy()
        gradient[..., -1] = 0
    return sound(gradient, weight, *rest, **folded)


@mutant("conv2d", at(conv.cpu, "conv2d_weight_gradient"))
def conv2d_sums_by_thread(sound, gradient, x, *rest):
    """Each thread sums its share of the images: the last bits depend on how many there are."""
    shares = min(get_num_threads(), max(len(x), 1))
    parts = [sound(gradient[t::shares], x[t::shares], *rest) for t in range(shares)]
    return sum(parts[1:], parts[0])


# -- what is folded in -------------------------------------------------------------------------


@mutant("conv2d", every_rung(RUNGS, "conv2d_relu_gradient"))
def conv2d_relu_lets_all_through(sound, gradient, out):
    """With ReLU folded in, the gradient passes where the output is zero as well."""
    return sound(gradient, np.ones_like(out))


@mutant("conv2d", every_rung(RUNGS, "conv2d_relu_gradient"))
def conv2d_bias_gradient_before_relu(sound, gradient, out):
    """The bias is given the sum of all gradients, those that ReLU stops included."""
    return sound(gradient, out)[0], sound(gradient, np.ones_like(out))[1]


@mutant("conv2d", every_rung(RUNGS, "conv2d_forward"))
def conv2d_relu_forgotten(sound, *arguments, **folded):
    """The sum comes out as it is, though ReLU was to be folded in."""
    return sound(*arguments)


@mutant("conv2d", every_rung(RUNGS, "conv2d_input_gradient"))
def conv2d_overwrites_what_others_gave(sound, *arguments, into=None):
    """Where gradients of several branches meet, the last replaces the others."""
    if into is None:
        return sound(*arguments)
    into[...] = sound(*arguments)
    return into


# -- Winograd's way --------------------------------------------------------------------------


@mutant("conv2d", at(conv.winograd, "input_gradient"))
def conv2d_winograd_kernel_not_turned(sound, slope, filters, *rest):
    """The gradient of the input is taken with the weights as they are, not turned by 180°."""
    return sound(slope, np.ascontiguousarray(filters[::-1, ::-1]), *rest)


@mutant("conv2d", at(conv.winograd, "forward"))
def conv2d_winograd_last_row_of_tiles(sound, *arguments):
    """Tiles that hang over the lower border are left out."""
    out = sound(*arguments)
    out[:, out.shape[1] // 4 * 4 :] = 0
    return out


@mutant("conv2d", at(conv.winograd, "weight_gradient"))
def conv2d_winograd_chunk_forgotten(sound, slope, image, *rest):
    """The sum over tiles begins anew with every chunk: the weights see the last images only."""
    return sound(slope[1:], image[1:], *rest)


@mutant("conv2d", at(conv.winograd, "weight_gradient"))
def conv2d_winograd_sums_by_thread(sound, slope, image, *rest):
    """Each thread sums its share of the images: the last bits depend on how many there are."""
    shares = min(get_num_threads(), max(len(image), 1))
    turns = [[np.ascontiguousarray(a[t::shares]) for a in (slope, image)] for t in range(shares)]
    parts = [sound(*turn, *rest) for turn in turns]
    return sum(parts[1:], parts[0])
