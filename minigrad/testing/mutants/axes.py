"""Mistakes in what folds axes away and in what moves numbers: reductions, shapes, concat."""
# A mistake takes what it breaks, and its docstring tells a story.
# mypy: allow-untyped-defs, no-check-untyped-defs
# ruff: noqa: D401

import numpy as np

from minigrad import functional
from minigrad.ops import concat, reduce, shape
from minigrad.testing.mutants.mutant import at, every_rung, mutant, rule


def _with_vjp(out, vjp):
    """Exchange the only vjp of a result, if it has one."""
    if out.node is not None:
        out.node.vjps = (vjp,)
    return out


def _with_vjp_of(out, other):
    """Let a result go back the way of another one, made from the same tensor."""
    return out if other.node is None else _with_vjp(out, other.node.vjps[0])


# -- reductions ----------------------------------------------------------------------------------


@mutant("sum", at(reduce, "_unfold"))
def sum_gradient_along_the_wrong_axis(sound, gradient, axes, wanted):
    """The gradient is repeated along the axis that stayed: square matrices do not tell."""
    full = sound(gradient, axes, wanted)
    square = len(wanted) == 2 and wanted[0] == wanted[1]
    return full.T if square else full


@mutant("sum", at(reduce, "sum"))
def sum_drops_its_axes(sound, x, axis=None, keepdims=False):
    """Keepdims is taken and forgotten: what is divided by the sum then broadcasts otherwise."""
    return sound(x, axis)


@mutant("mean", rule(reduce, "mean"))
def mean_gradient_of_a_sum(sound, gradient, out, x):
    """The gradient of the mean is not divided by how many there were."""
    return sound(gradient) * x.dtype.type(x.size // max(out.size, 1))


@mutant("mean", rule(reduce, "mean"))
def mean_gradient_by_the_wrong_count(sound, gradient, out, x):
    """The gradient is divided by the size of the array, not by the length of the folded axes."""
    return sound(gradient) / x.dtype.type(max(out.size, 1))


@mutant("var", at(reduce, "var"))
def var_correction_ignored(sound, x, axis=None, keepdims=False, correction=0):
    """Always the biased variance, whatever is asked for."""
    return sound(x, axis, keepdims, 0)


@mutant("var", at(reduce, "var"))
def var_gradient_without_correction(sound, x, axis=None, keepdims=False, correction=0):
    """Forward divides by n − 1, backward by n."""
    return _with_vjp_of(sound(x, axis, keepdims, correction), sound(x, axis, keepdims, 0))


@mutant("var", rule(reduce, "var"))
def var_gradient_without_its_two(sound, gradient, out, x):
    """The derivative of a square without its factor 2."""
    return sound(gradient) / 2


@mutant("max", at(reduce, "max"))
def max_gradient_to_all(sound, x, axis=None, keepdims=False):
    """Everyone gets the gradient, not only the largest, as if a sum had been taken."""
    return _with_vjp_of(sound(x, axis, keepdims), reduce.sum(x, axis, keepdims))


@mutant("max", rule(reduce, "max"))
def max_gradient_not_shared(sound, gradient, out, x):
    """Each of several equal maxima gets the whole gradient."""
    share = sound(np.ones_like(gradient))
    return sound(gradient) / np.where(share == 0, 1, share)


@mutant("min", at(reduce, "min"))
def min_gradient_of_max(sound, x, axis=None, keepdims=False):
    """The gradient goes to the largest number: copied from max, with one word left as it was."""
    return _with_vjp_of(sound(x, axis, keepdims), reduce.max(x, axis, keepdims))


# -- shapes --------------------------------------------------------------------------------------


@mutant("reshape", at(shape, "reshape"))
def reshape_reads_by_column(sound, x, *wanted):
    """Numbers are read column by column, as Fortran does, forward and backward alike."""
    before, out = x.data.shape, sound(x, *wanted)
    out = _with_vjp(out, lambda gradient: gradient.reshape(before, order="F"))
    out.data = x.data.reshape(out.data.shape, order="F")
    return out


@mutant("flatten", at(shape, "flatten"))
def flatten_takes_the_batch_along(sound, x, start_axis=0, end_axis=-1):
    """start_axis is ignored: the examples of a batch become one row."""
    return sound(x, 0, end_axis)


@mutant("permute", at(shape, "permute"))
def permute_gradient_by_the_same_order(sound, x, *axes):
    """The way back permutes by the order of the way there: two axes do not tell, three do."""
    before = x.data.shape
    out = sound(x, *axes)
    order = tuple(axes[0]) if len(axes) == 1 and isinstance(axes[0], list | tuple) else axes

    def vjp(gradient):
        again = gradient.transpose(order)
        return again if again.shape == before else again.reshape(before)

    return _with_vjp(out, vjp)


@mutant("transpose", at(shape, "transpose"))
def transpose_always_reverses(sound, x, axis0=None, axis1=None):
    """The named axes are ignored and all are reversed: right for matrices."""
    return sound(x)


@mutant("squeeze", at(shape, "squeeze"))
def squeeze_takes_all(sound, x, axis=None):
    """All axes of length one go, not only the named one: a batch of one image loses its batch."""
    return sound(x)


@mutant("unsqueeze", at(shape, "unsqueeze"))
def unsqueeze_counts_from_the_old_end(sound, x, axis):
    """Axis −1 means in front of the last axis, as list.insert has it."""
    return sound(x, axis - 1 if -len(x.data.shape) <= axis < 0 else axis)


@mutant("broadcast_to", rule(shape, "broadcast_to"))
def broadcast_to_gradient_of_one_copy(sound, gradient, out, x):
    """What was repeated gets the gradient of its first copy."""
    part = gradient[(0,) * (gradient.ndim - x.ndim)]
    return part[tuple(slice(0, n) for n in x.shape)].copy()


@mutant("getitem", at(shape, "getitem"))
def getitem_last_of_repeated_wins(sound, x, index):
    """Where an index occurs twice, the second gradient replaces the first: full[index] = G."""
    places = tuple(shape._plain(i) for i in index) if isinstance(index, tuple) else index
    full_shape, dtype = x.data.shape, x.data.dtype

    def vjp(gradient):
        full = np.zeros(full_shape, dtype)
        full[shape._plain(places)] = gradient
        return full

    return _with_vjp(sound(x, index), vjp)


@mutant("stack", at(shape, "record"))
def stack_gradients_reversed(sound, name, result, *rules):
    """The first tensor gets the last one's gradient."""
    if name == "stack":
        turned = [vjp for _, vjp in rules][::-1]
        rules = [(parent, vjp) for (parent, _), vjp in zip(rules, turned, strict=True)]
    return sound(name, result, *rules)


PAD = at(shape, "pad"), at(functional, "pad")


@mutant("pad", *PAD)
def pad_gradient_cut_from_the_wrong_side(sound, x, padding, value=0.0):
    """The gradient is cropped with before and after exchanged: even borders do not tell."""
    turned = [n for i in range(0, len(padding), 2) for n in (padding[i + 1], padding[i])]
    return _with_vjp_of(sound(x, padding, value), sound(x, turned, value))


@mutant("pad", *PAD)
def pad_first_axis_first(sound, x, padding, value=0.0):
    """The pairs are read from the first axis on: rows get the padding of columns."""
    pairs = [tuple(padding[i : i + 2]) for i in range(0, len(padding), 2)]
    return sound(x, [n for before_after in pairs[::-1] for n in before_after], value)


@mutant("pad", *PAD)
def pad_value_ignored(sound, x, padding, value=0.0):
    """The border is zero whatever value is given."""
    return sound(x, padding)


# -- concatenation -------------------------------------------------------------------------------


@mutant("concat", every_rung(concat.RUNGS, "concat_input_gradient"))
def concat_gradients_reversed(sound, gradient, start, length, axis):
    """The first part gets the last part's piece: branches of equal width do not tell by shape."""
    return sound(gradient, gradient.shape[axis] - start - length, length, axis)


@mutant("concat", every_rung(concat.RUNGS, "concat_forward"))
def concat_last_part_first(sound, arrays, axis):
    """The parts are joined in reverse order."""
    return sound(arrays[::-1], axis)


@mutant("concat", every_rung(concat.RUNGS, "concat_input_gradient"))
def concat_gradients_all_from_the_start(sound, gradient, start, length, axis):
    """Every part gets the first places of the gradient: the running start is never moved on."""
    return sound(gradient, 0, length, axis)


@mutant("concat", at(concat.cpu, "concat_forward"))
def concat_of_two_only(sound, arrays, axis):
    """The fast rung was tried with two parts: of more it repeats the second."""
    arrays = list(arrays)
    same = [i for i, a in enumerate(arrays) if i > 1 and a.shape == arrays[1].shape]
    for i in same:
        arrays[i] = arrays[1]
    return sound(arrays, axis)
