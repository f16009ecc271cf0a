"""The geometry that convolution and pooling share, in numbers only.

A *window* of ``kernel_size`` (kh, kw) slides over an image of (H, W). Along one axis, output o
reads the inputs ``o·stride − before + k·dilation`` for k = 0 … kernel − 1; those outside the image
are padding.
"""

Pair = tuple[int, int]
Padding = tuple[Pair, Pair]  # ((top, bottom), (left, right))


def output_length(
    length: int, kernel: int, stride: int, padding: Pair, dilation: int, ceil_mode: bool = False
) -> int:
    """Count the places at which a window fits along one axis (below 1 if it never does).

    In ceil mode a last window may hang over the end, but must start in the image or in the
    padding before it.
    """
    room = length + padding[0] + padding[1] - dilation * (kernel - 1) - 1
    if not ceil_mode:
        return room // stride + 1
    count = -(-room // stride) + 1
    return count - 1 if (count - 1) * stride >= length + padding[0] else count


def fitting_windows(
    shape: tuple[int, ...],
    kernel_size: Pair,
    stride: Pair,
    padding: Padding,
    dilation: Pair,
    ceil_mode: bool = False,
) -> Pair:
    """Count the windows along height and width: the (oh, ow) of the output."""
    H, W = shape[-2:]
    return (
        output_length(H, kernel_size[0], stride[0], padding[0], dilation[0], ceil_mode),
        output_length(W, kernel_size[1], stride[1], padding[1], dilation[1], ceil_mode),
    )
