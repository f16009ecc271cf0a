"""Mistakes in the linear layer, the matrix product, ReLU and dropout."""
# A mistake takes what it breaks, and its docstring tells a story.
# mypy: allow-untyped-defs, no-check-untyped-defs
# ruff: noqa: D401

import numpy as np

from minigrad.cpu import get_num_threads
from minigrad.ops import dropout, linear, matmul, relu
from minigrad.random import MASK
from minigrad.testing.mutants.mutant import at, every_rung, mutant, rule

# -- the linear layer ----------------------------------------------------------------------------


@mutant("linear", every_rung(linear.RUNGS, "linear_forward"))
def linear_weight_not_transposed(sound, x, weight, bias):
    """Computes x @ weight where the weight is square, and complains nowhere."""
    return sound(x, weight.T if weight.shape[0] == weight.shape[1] else weight, bias)


@mutant("linear", every_rung(linear.RUNGS, "linear_forward"))
def linear_bias_forgotten(sound, x, weight, bias):
    """The bias is not added."""
    return sound(x, weight, None)


@mutant("linear", every_rung(linear.RUNGS, "linear_input_gradient"))
def linear_input_gradient_transposed(sound, gradient, weight):
    """Going back through a square weight, it is transposed once too often."""
    return sound(gradient, weight.T if weight.shape[0] == weight.shape[1] else weight)


@mutant("linear", every_rung(linear.RUNGS, "linear_weight_gradient"))
def linear_weight_gradient_transposed(sound, gradient, x):
    """The gradient of a square weight comes back as (I, O)."""
    result = sound(gradient, x)
    return result.T if result.shape[0] == result.shape[1] else result


@mutant("linear", every_rung(linear.RUNGS, "linear_weight_gradient"))
def linear_weight_gradient_averaged(sound, gradient, x):
    """The mean over the batch is taken here, though the loss took it already."""
    return sound(gradient / gradient.dtype.type(max(len(x), 1)), x)


@mutant("linear", every_rung(linear.RUNGS, "linear_weight_gradient"), historical=True)
def linear_weight_gradient_far_too_large(sound, gradient, x):
    """A checker that compared the forward pass twice accepted a gradient 12,345 times too large."""
    return sound(gradient, x) * gradient.dtype.type(12345)


@mutant("linear", every_rung(linear.RUNGS, "linear_bias_gradient"))
def linear_bias_gradient_averaged(sound, gradient):
    """The bias gets the mean over the batch and not the sum."""
    return sound(gradient) / gradient.dtype.type(max(len(gradient), 1))


@mutant("linear", at(linear.cpu, "linear_bias_gradient"))
def linear_bias_gradient_of_the_last_row(sound, gradient):
    """In the fast rung the loop over the batch assigns instead of adding."""
    return gradient[-1].copy() if len(gradient) else sound(gradient)


@mutant("linear", at(linear.cpu, "linear_weight_gradient"))
def linear_sums_by_thread(sound, gradient, x):
    """Each thread sums its share of the rows: the last bits depend on how many there are."""
    shares = min(get_num_threads(), max(len(x), 1))
    parts = [sound(gradient[t::shares], x[t::shares]) for t in range(shares)]
    return sum(parts[1:], parts[0])


# -- the matrix product --------------------------------------------------------------------------


@mutant("matmul", rule(matmul, "matmul", 0))
def matmul_left_gradient_not_transposed(sound, gradient, out, a, b):
    """DA = G·B instead of G·Bᵀ: for square matrices the shapes do not tell."""
    square = a.ndim == b.ndim == 2 and b.shape[0] == b.shape[1]
    return gradient @ b if square else sound(gradient)


@mutant("matmul", rule(matmul, "matmul", 1))
def matmul_right_gradient_in_the_wrong_order(sound, gradient, out, a, b):
    """DB = G·Aᵀ instead of Aᵀ·G: for square matrices the shapes do not tell."""
    square = a.ndim == b.ndim == 2 and a.shape == b.shape
    return gradient @ a.T if square and a.shape[0] == a.shape[1] else sound(gradient)


@mutant("matmul", at(matmul, "unbroadcast"))
def matmul_broadcast_stack_not_summed(sound, gradient, shape):
    """A matrix that meets a stack of matrices gets the gradient of the first meeting only."""
    while gradient.ndim > len(shape):
        gradient = gradient[0]
    for axis, n in enumerate(shape):
        if n == 1:
            gradient = gradient.take([0], axis)
    return gradient


# -- the rectifier -------------------------------------------------------------------------------


@mutant("relu", every_rung(relu.RUNGS, "relu_input_gradient"))
def relu_gradient_passes_zeros(sound, gradient, out):
    """The mask is out >= 0. Since the output is never negative, everything passes."""
    return np.where(out >= 0, gradient, 0).astype(out.dtype)


@mutant("relu", every_rung(relu.RUNGS, "relu_forward"))
def relu_leaks(sound, x):
    """Negative numbers are scaled by 0.01 and not set to zero."""
    return np.where(x <= 0, x * x.dtype.type(0.01), x)


@mutant("relu", every_rung(relu.RUNGS, "relu_forward"))
def relu_hides_nan(sound, x):
    """NaN becomes zero: a network that broke goes on as if nothing were."""
    return np.where(x > 0, x, x.dtype.type(0))


@mutant("relu", every_rung(relu.RUNGS, "relu_forward"))
def relu_of_the_size(sound, x):
    """The absolute value: right on what is positive already."""
    return np.abs(x)


@mutant("relu", at(relu.cpu, "relu_forward"))
def relu_overwrites_its_input(sound, x):
    """The fast rung works in place, in an array that someone else still reads."""
    x[...] = sound(x)
    return x


# -- dropout -------------------------------------------------------------------------------------

DROPOUT = "dropout_forward", "dropout_input_gradient"


@mutant("dropout", every_rung(dropout.RUNGS, *DROPOUT))
def dropout_does_not_scale(sound, x, p, key):
    """What is kept is not divided by 1 − p: in use, the next layer sees other numbers.

    Forward and backward alike.
    """
    return (sound(x, p, key) * (1 - p)).astype(x.dtype)


@mutant("dropout", every_rung(dropout.RUNGS, *DROPOUT))
def dropout_scales_by_p(sound, x, p, key):
    """What is kept is divided by p and not by 1 − p: at p = 0.5 nobody notices."""
    return (sound(x, p, key) * ((1 - p) / p)).astype(x.dtype)


@mutant("dropout", every_rung(dropout.RUNGS, *DROPOUT))
def dropout_keeps_with_probability_p(sound, x, p, key):
    """The share p is kept and not dropped, as in a library of old: at p = 0.5 nobody notices."""
    return sound(x, 1 - p, key)


@mutant("dropout", every_rung(dropout.RUNGS, "dropout_input_gradient"))
def dropout_draws_again_going_back(sound, gradient, p, key):
    """Backward draws a mask of its own."""
    return sound(gradient, p, key + 1 & MASK)


@mutant("dropout", every_rung(dropout.RUNGS, "dropout_input_gradient"))
def dropout_gradient_not_scaled(sound, gradient, p, key):
    """The gradient goes through the gate, but is not divided by 1 − p."""
    return (sound(gradient, p, key) * (1 - p)).astype(gradient.dtype)


@mutant("dropout", every_rung(dropout.RUNGS, "dropout_input_gradient"))
def dropout_gradient_not_gated(sound, gradient, p, key):
    """The gradient passes where the number was dropped."""
    return gradient.copy()


@mutant("dropout", every_rung(dropout.RUNGS, *DROPOUT))
def dropout_same_mask_every_time(sound, x, p, key):
    """The key is ignored: the same units are dropped in every step."""
    return sound(x, p, 0)


@mutant("dropout", every_rung(dropout.RUNGS, *DROPOUT))
def dropout_one_decision_for_a_row(sound, x, p, key):
    """One number is drawn for each row of the array and decides about all of it."""
    if x.ndim == 0:
        return sound(x, p, key)
    kept = sound(np.ones((*x.shape[:-1], 1), x.dtype), p, key)
    return np.where(kept != 0, x * kept, x.dtype.type(0))


@mutant("dropout", every_rung(dropout.RUNGS, "dropout_forward"))
def dropout_multiplies_by_its_mask(sound, x, p, key):
    """A dropped infinity gives 0·∞ = NaN, where it should give zero."""
    with np.errstate(invalid="ignore"):
        return x * sound(np.ones_like(x), p, key)


@mutant("dropout", every_rung(dropout.RUNGS, "dropout_forward"))
def dropout_makes_float64(sound, x, p, key):
    """The mask is drawn in float64: float32 comes in, float64 goes out."""
    return sound(x, p, key) * np.ones(x.shape)


@mutant("dropout", at(dropout.cpu, *DROPOUT))
def dropout_counts_in_memory_order(sound, x, p, key):
    """In the fast rung a number's hash depends on where memory holds it."""
    out = np.empty_like(x)
    order = np.argsort(x.strides)[::-1]
    out.transpose(order)[...] = sound(np.ascontiguousarray(x.transpose(order)), p, key)
    return out


@mutant("dropout", at(dropout.cpu, "dropout_forward"))
def dropout_key_by_thread(sound, x, p, key):
    """Every thread has a stream of its own: the mask depends on how many there are."""
    return sound(x, p, key ^ get_num_threads())
