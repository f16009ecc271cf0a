r"""Concatenation: tensors put one behind the other along an axis. The derivation, the operation.

**Forward.** Part k occupies the places ``start[k] … start[k] + length[k] − 1`` of the axis::

    out[…, start[k] + i, …] = part[k][…, i, …]        start[k] = length[0] + … + length[k − 1]

**Backward.** Every number of out is one number of one part, so its gradient is that part's: each
part gets its piece of the gradient back. Concatenation moves numbers, and its transpose moves them
home. The parts do not know of each other, so each has a rule of its own, and a part that needs no
gradient costs nothing.

**What an Inception module does with it.** Four branches with 64, 128, 32 and 32 channels become one
image of 256 channels, axis 1 of (N, C, H, W). Channels lie last in memory: there a pixel of the
result is four runs of neighbours, one from each branch, and the copy reads and writes forwards.
"""

from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING

from minigrad import device
from minigrad.autograd import Variable, Vjp, record
from minigrad.ops.arguments import check_axis
from minigrad.ops.concat import cpu, gpu, naive, vectorized
from minigrad.ops.elementwise import operands

if TYPE_CHECKING:
    from minigrad.tensor import Tensor

RUNGS = {"naive": naive, "vectorized": vectorized, "cpu": cpu}


def concat(tensors: Sequence["Tensor"], axis: int = 0) -> "Tensor":
    """Join tensors along an axis that they have.

    Parameters
    ----------
    tensors : sequence of Tensor
        Of equal shapes, except for the length of `axis`. Dtypes combine as in arithmetic.
    axis : int
        May count from the end.

    Returns
    -------
    Tensor
        As long along `axis` as all of them together. Channels-last in memory if all are.

    Raises
    ------
    TypeError, ValueError, IndexError
        If there is nothing to join, one of them is no tensor or does not fit the first, or the
        axis does not exist.

    Examples
    --------
    >>> import minigrad
    >>> a, b = minigrad.tensor([[1.0], [2.0]]), minigrad.tensor([[3.0, 4.0], [5.0, 6.0]])
    >>> minigrad.concat([a, b], axis=1)
    tensor([[1., 3., 4.],
            [2., 5., 6.]], dtype=float32, device=cpu)
    """
    if isinstance(tensors, Variable) or not isinstance(tensors, Sequence):
        raise TypeError(
            f"concat: tensors must be a list or a tuple of Tensors, got {type(tensors).__name__}"
        )
    if not tensors:
        raise ValueError("concat: needs at least one tensor, got none")
    tensors = operands("concat", *tensors)
    along = _common_axis([t.data.shape for t in tensors], axis)
    kernel = device.choose(RUNGS, gpu, tensors[0].data)
    rules: list[tuple[Tensor, Vjp]] = []
    start = 0
    for part in tensors:
        length = part.shape[along]
        rules.append((part, _cut_out(kernel, start, length, along)))
        start += length
    return record("concat", kernel.concat_forward([t.data for t in tensors], along), *rules)


def _cut_out(kernel: ModuleType, start: int, length: int, axis: int) -> Vjp:
    """Make the rule of one part: its places of the gradient."""
    return lambda gradient: kernel.concat_input_gradient(gradient, start, length, axis)


def _common_axis(shapes: list[tuple[int, ...]], axis: int) -> int:
    """Insist that all shapes are equal but for `axis`, and count it from the start."""
    first, ndim = shapes[0], len(shapes[0])
    along = check_axis("concat", axis, ndim)
    for k, shape in enumerate(shapes):
        others = shape[:along] + shape[along + 1 :]
        if len(shape) != ndim or others != first[:along] + first[along + 1 :]:
            raise ValueError(
                f"concat: tensors[{k}] has shape {shape} but tensors[0] has {first}; they must be "
                f"equal except for axis {along}"
            )
    return along
