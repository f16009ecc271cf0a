"""What losses ask of their targets, class weights and reductions. In arrays and shapes.

Targets are checked where they are, and then brought to the scores. A check on a GPU has to wait for
its answer; targets that come from the CPU need not be waited for.
"""

from typing import Any

import numpy as np

from minigrad import device
from minigrad.autograd import Array, Variable, as_array
from minigrad.gpu import is_gpu_array, is_recording
from minigrad.ops.arguments import check_same_dtype, check_tensor

REDUCTIONS = ("mean", "sum", "none")


def check_reduction(name: str, reduction: Any) -> None:
    """Insist on a reduction that exists."""
    if reduction not in REDUCTIONS:
        raise ValueError(
            f"{name}: reduction must be one of {', '.join(REDUCTIONS)}, got {reduction!r}"
        )


def check_ignore_index(name: str, ignore_index: Any) -> None:
    """Insist on an integer, which may be that of a class or of none."""
    if not isinstance(ignore_index, int | np.integer) or isinstance(ignore_index, bool):
        raise TypeError(f"{name}: ignore_index must be an integer, got {ignore_index!r}")


def class_axis(shape: tuple[int, ...]) -> int:
    """Name the axis of the classes: the second, or the only one of a single example."""
    return min(1, len(shape) - 1)


def class_weights(name: str, argument: str, scores: Any, weight: Any) -> Array:
    """Read the weights of the classes of `scores`, the tensor that `argument` names.

    All ones if they are left out.
    """
    shape = scores.shape
    if not shape or shape[class_axis(shape)] == 0:
        raise ValueError(
            f"{name}: {argument} must have the axes (C,), (N, C) or (N, C, ...) and at least one "
            f"class, got shape {shape}"
        )
    classes = shape[class_axis(shape)]
    if weight is None:
        return device.library(scores.data).ones(classes, scores.dtype)
    check_tensor(name, "weight", weight, 1)
    check_same_dtype(name, **{argument: scores}, weight=weight)
    if weight.shape != (classes,):
        raise ValueError(
            f"{name}: weight must have shape ({classes},), one number for each class, "
            f"got {weight.shape}"
        )
    return weight.data


def class_probabilities(name: str, target: Any, logits: Any, ignore_index: int) -> bool:
    """Tell whether `target` holds probabilities; if it does, insist that they fit."""
    array = _array(name, target)
    if array.dtype.kind != "f":
        return False
    if array.shape != logits.shape:
        raise ValueError(
            f"{name}: target is floating, so it must hold the probabilities of all classes and "
            f"have the shape of logits, {logits.shape}, but has {array.shape} (class indices are "
            "integers)"
        )
    if isinstance(target, Variable):
        check_same_dtype(name, logits=logits, target=target)
    if ignore_index >= 0:
        raise ValueError(
            f"{name}: ignore_index = {ignore_index} names a class index, but target holds "
            "probabilities"
        )
    return True


def class_indices(name: str, argument: str, target: Any, scores: Any, ignore_index: int) -> Array:
    """Read targets as int64 beside `scores`, which `argument` names: each a class, or ignored."""
    array, shape = _array(name, target), scores.shape
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name}: target must hold integer class indices, got {array.dtype}")
    axis = class_axis(shape)
    wanted, classes = shape[:axis] + shape[axis + 1 :], shape[axis]
    if array.shape != wanted:
        raise ValueError(
            f"{name}: target must have shape {wanted}, one class for each example of {argument} "
            f"(shape {shape}), got {array.shape}"
        )
    if is_gpu_array(array):
        array = array.astype(np.int64)  # small and unsigned integers cannot be compared with -100
        if is_recording():  # nobody can look at them now (`minigrad.cuda_graph`)
            return array
    known = getattr(target, "host", array)  # labels of a DataLoader: to look at these, nobody waits
    wrong = (known != ignore_index) & ((known < 0) | (known >= classes))
    if wrong.any():
        array, wrong = device.put(array, "cpu"), device.put(wrong, "cpu")
        place = tuple(int(i) for i in np.argwhere(wrong)[0])
        at = f" at {place}" if place else ""
        raise IndexError(
            f"{name}: target{at} is {array[place]}, but {argument} has {classes} classes: a target "
            f"must be 0 … {classes - 1}, or {ignore_index} to be ignored"
        )
    return device.put_like(array.astype(np.int64), scores.data)


def _array(name: str, target: Any) -> Array:
    try:
        return as_array(target.data if isinstance(target, Variable) else target)
    except ValueError as error:  # lists of unequal lengths
        raise TypeError(f"{name}: target must be an array ({error})") from None
