"""Mistakes in batch normalisation and local response normalisation."""
# A mistake takes what it breaks, and its docstring tells a story.
# mypy: allow-untyped-defs, no-check-untyped-defs
# ruff: noqa: D401

import numpy as np

from minigrad.cpu import get_num_threads
from minigrad.ops import batch_norm, lrn
from minigrad.testing.mutants.mutant import at, every_rung, mutant

RUNGS = batch_norm.RUNGS
GRADIENTS = "batch_norm_gradients"

# -- batch normalisation, forward ----------------------------------------------------------------


@mutant("batch_norm", every_rung(RUNGS, "batch_norm_statistics"))
def batch_norm_normalises_by_the_unbiased_variance(sound, x):
    """The batch is divided by Σ(x − μ)²/(M − 1), which belongs into the running variance."""
    mean, var = sound(x)
    M = x.size // max(x.shape[1], 1)
    return mean, var * x.dtype.type(M / max(M - 1, 1))


@mutant("batch_norm", every_rung(RUNGS, "batch_norm_statistics"))
def batch_norm_variance_by_the_shortcut(sound, x):
    """Variance is the mean square less the square of the mean, in x's own dtype.

    Every digit is lost where the mean is large against the deviation.
    """
    axes = (0, *range(2, x.ndim))
    mean, _ = sound(x)
    square = (x * x).mean(axis=axes, dtype=x.dtype)
    return mean, np.maximum(square - x.mean(axis=axes, dtype=x.dtype) ** 2, 0)


@mutant("batch_norm", every_rung(RUNGS, "batch_norm_statistics"))
def batch_norm_statistics_of_the_first_image(sound, x):
    """Mean and variance are those of the first image, not of the batch."""
    return sound(x[:1])


@mutant("batch_norm", every_rung(RUNGS, "batch_norm_forward"))
def batch_norm_eps_outside_the_root(sound, x, mean, var, weight, bias, eps):
    """Divides by √v + ε instead of √(v + ε)."""
    return sound(x, mean, (np.sqrt(var) + eps) ** 2, weight, bias, 0.0)


@mutant("batch_norm", every_rung(RUNGS, "batch_norm_forward", GRADIENTS))
def batch_norm_eps_fixed(sound, *arguments):
    """The ε that is given is ignored for 1e-5, forward and backward alike."""
    wrong = tuple(1e-5 if type(a) is float else a for a in arguments)
    return sound(*wrong)


@mutant("batch_norm", every_rung(RUNGS, "batch_norm_forward"))
def batch_norm_shift_is_scaled(sound, x, mean, var, weight, bias, eps):
    """Computes weight·(x̂ + bias)."""
    return sound(x, mean, var, weight, weight * bias, eps)


@mutant("batch_norm", at(batch_norm.cpu, "batch_norm_statistics"))
def batch_norm_rest_of_a_block(sound, x):
    """The fast rung counts pixels in fours, and forgets what is left over."""
    if x.ndim < 3 or x.shape[2] % 4 == 0 or x.shape[2] < 4:
        return sound(x)
    return sound(x[:, :, : x.shape[2] // 4 * 4])


@mutant("batch_norm", at(batch_norm.cpu, "batch_norm_statistics"))
def batch_norm_mean_by_thread(sound, x):
    """Each thread finds the mean of its share: the last bits depend on how many there are."""
    mean, var = sound(x)
    shares = min(get_num_threads(), max(len(x), 1))
    if shares == 1 or len(x) % shares:
        return mean, var
    parts = [sound(x[t::shares])[0] for t in range(shares)]
    return sum(parts[1:], parts[0]) / x.dtype.type(shares), var


# -- running statistics --------------------------------------------------------------------------


@mutant("batch_norm", at(batch_norm, "_update"), historical=True)
def batch_norm_running_variance_biased(sound, running_mean, running_var, mean, var, count, share):
    """The running variance takes the batch's biased one, divided by M and not by M − 1."""
    sound(running_mean, running_var, mean, var * ((count - 1) / count), count, share)


@mutant("batch_norm", at(batch_norm, "_update"), historical=True)
def batch_norm_momentum_reversed(sound, *arguments):
    """Momentum is the share that is kept, where users give the share that is new."""
    *rest, momentum = arguments
    sound(*rest, 1 - momentum)


@mutant("batch_norm", at(batch_norm, "_update"))
def batch_norm_running_mean_adds_up(sound, running_mean, *rest):
    """The running mean gets the batch's share and forgets to let go of its own."""
    before = None if running_mean is None else running_mean.data.copy()
    sound(running_mean, *rest)
    if running_mean is not None:
        running_mean.data[...] += rest[-1] * before


@mutant("batch_norm", at(batch_norm, "_update"))
def batch_norm_running_statistics_stale(sound, *arguments):
    """The running statistics are never updated: in use, nothing is normalised."""


# -- batch normalisation, backward ---------------------------------------------------------------


@mutant("batch_norm", every_rung(RUNGS, GRADIENTS), historical=True)
def batch_norm_input_gradient_zero(sound, *arguments):
    """A gradient check that sums the outputs accepted zeros: in training that sum is constant."""
    to_x, to_weight, to_bias = sound(*arguments)
    return (to_x * 0 if arguments[-1] else to_x), to_weight, to_bias


@mutant("batch_norm", every_rung(RUNGS, GRADIENTS))
def batch_norm_backward_without_the_mean(sound, *arguments):
    """The gradient by way of the mean is missing: Σ G/M is not taken from G."""
    return _with_more(sound, arguments, lambda gradient, _: _mean(gradient))


@mutant("batch_norm", every_rung(RUNGS, GRADIENTS))
def batch_norm_backward_without_the_variance(sound, *arguments):
    """The gradient by way of the variance is missing: the component along x̂ is not taken away."""
    return _with_more(sound, arguments, lambda gradient, normal: normal * _mean(gradient * normal))


def _with_more(sound, arguments, more):
    """Add to the gradient of x what a mistake leaves standing in G."""
    gradient, x, mean, var, weight, eps, training = arguments
    to_x, to_weight, to_bias = sound(*arguments)
    if training and x.size:
        stretched = (-1, *(1,) * (x.ndim - 2))
        s = 1 / np.sqrt(var + eps)
        normal = (x - mean.reshape(stretched)) * s.reshape(stretched)
        to_x = to_x + (weight * s).reshape(stretched) * more(gradient, normal)
    return to_x.astype(x.dtype), to_weight, to_bias


def _mean(array):
    return array.mean(axis=(0, *range(2, array.ndim)), keepdims=True)


@mutant("batch_norm", every_rung(RUNGS, GRADIENTS))
def batch_norm_statistics_held_constant(sound, *arguments):
    """Backward takes the batch's statistics for constants, as they are in use."""
    to_x, _, _ = sound(*arguments[:-1], False)
    return to_x, *sound(*arguments)[1:]


@mutant("batch_norm", every_rung(RUNGS, GRADIENTS))
def batch_norm_statistics_of_use_not_constant(sound, *arguments):
    """In use, backward goes through the statistics as in training, though they are constants."""
    return sound(*arguments[:-1], True)


@mutant("batch_norm", every_rung(RUNGS, GRADIENTS))
def batch_norm_backward_without_gamma(sound, gradient, x, mean, var, weight, eps, training):
    """The gradient of x is not scaled by the weight: right as long as that is 1."""
    return sound(gradient, x, mean, var, np.ones_like(weight), eps, training)


@mutant("batch_norm", every_rung(RUNGS, GRADIENTS))
def batch_norm_weight_gradient_of_x_not_normalised(sound, *arguments):
    """The weight's gradient is Σ G·(x − μ): the deviation is forgotten."""
    to_x, to_weight, to_bias = sound(*arguments)
    var, eps = arguments[3], arguments[5]
    return to_x, (to_weight * np.sqrt(var + eps)).astype(to_weight.dtype), to_bias


@mutant("batch_norm", every_rung(RUNGS, GRADIENTS))
def batch_norm_bias_gradient_averaged(sound, gradient, *rest):
    """The bias gets the mean of the gradient and not its sum."""
    to_x, to_weight, to_bias = sound(gradient, *rest)
    M = max(gradient.size // max(gradient.shape[1], 1), 1)
    return to_x, to_weight, to_bias / gradient.dtype.type(M)


@mutant("batch_norm", at(batch_norm.cpu, GRADIENTS))
def batch_norm_overwrites_the_gradient(sound, gradient, *rest):
    """The fast rung works in place, in an array that belongs to the caller."""
    result = sound(gradient, *rest)
    if gradient.flags.writeable:
        gradient[...] = result[0]
    return result


# -- local response normalisation ----------------------------------------------------------------

BOTH = "lrn_forward", "lrn_input_gradient"


def _turned(arguments):
    """Reverse the channels of every array."""
    return [a[:, ::-1] if isinstance(a, np.ndarray) else a for a in arguments]


@mutant("local_response_norm", every_rung(lrn.RUNGS, *BOTH), historical=True)
def lrn_window_one_too_short(sound, *arguments):
    """An oracle's window ended one channel early, for years, and no test noticed.

    Forward and backward alike. With the customary alpha = 1e-4 the window hardly matters.
    """
    arrays = [a for a in arguments if isinstance(a, np.ndarray)]
    size, alpha, *rest = arguments[len(arrays) :]
    if size == 1:
        return sound(*arguments)
    return sound(*arrays, size - 1, alpha * (size - 1) / size, *rest)


@mutant("local_response_norm", at(lrn.cpu, *BOTH), historical=True)
def lrn_even_window_leans_the_other_way(sound, *arguments):
    """Two devices of one engine disagreed about even windows: one reached up, the other down."""
    result = sound(*_turned(arguments))
    return tuple(_turned(result)) if isinstance(result, tuple) else result[:, ::-1]


@mutant("local_response_norm", at(lrn.cpu, *BOTH), historical=True)
def lrn_sums_in_float32(sound, *arguments):
    """On one device squares were summed in float32 whatever the dtype."""
    small = [a.astype(np.float32) if isinstance(a, np.ndarray) else a for a in arguments]
    result, dtype = sound(*small), arguments[0].dtype
    if isinstance(result, tuple):
        return tuple(part.astype(dtype) for part in result)
    return result.astype(dtype)


@mutant("local_response_norm", every_rung(lrn.RUNGS, "lrn_input_gradient"), historical=True)
def lrn_cross_term_missing(sound, gradient, x, scale, size, alpha, beta):
    """Backward leaves out what a channel does to its neighbours.

    A gradient check at the customary alpha = 1e-4 accepted that in 500 of 500 draws; at alpha = 1
    it does so in 2.
    """
    return (gradient * scale**-beta).astype(x.dtype)


@mutant("local_response_norm", every_rung(lrn.RUNGS, "lrn_input_gradient"))
def lrn_backward_window_not_turned(sound, *arguments):
    """Backward sums over the window of forward: right for odd sizes, wrong for even ones."""
    return sound(*_turned(arguments))[:, ::-1]


@mutant("local_response_norm", every_rung(lrn.RUNGS, *BOTH))
def lrn_alpha_not_divided(sound, *arguments):
    """Alpha multiplies the sum of squares, as in the paper, and not their mean.

    Forward and backward alike.
    """
    arrays = [a for a in arguments if isinstance(a, np.ndarray)]
    size, alpha, *rest = arguments[len(arrays) :]
    return sound(*arrays, size, alpha * size, *rest)


@mutant("local_response_norm", every_rung(lrn.RUNGS, "lrn_input_gradient"))
def lrn_square_without_its_two(sound, gradient, x, scale, size, alpha, beta):
    """The derivative of a square without its factor 2."""
    return sound(gradient, x, scale, size, alpha / 2, beta)


@mutant("local_response_norm", every_rung(lrn.RUNGS, "lrn_input_gradient"))
def lrn_power_not_lowered(sound, gradient, x, scale, size, alpha, beta):
    """The derivative of scale^(−beta) keeps its exponent, where one less is due."""
    direct = gradient * scale**-beta
    raised = gradient * scale
    across = sound(raised, x, scale, size, alpha, beta) - raised * scale**-beta
    return (direct + across).astype(x.dtype)


@mutant("local_response_norm", every_rung(lrn.RUNGS, "lrn_forward"))
def lrn_k_fixed_at_one(sound, x, size, alpha, beta, k):
    """The constant k is ignored. It is 1 in GoogLeNet, 2 in AlexNet."""
    return sound(x, size, alpha, beta, 1.0)


@mutant("local_response_norm", every_rung(lrn.RUNGS, *BOTH))
def lrn_over_pixels(sound, *arguments):
    """The window slides over the pixels of a row and not over the channels of a pixel."""
    moved = [a.swapaxes(1, 3) if isinstance(a, np.ndarray) else a for a in arguments]
    result = sound(*moved)
    if isinstance(result, tuple):
        return tuple(part.swapaxes(1, 3) for part in result)
    return result.swapaxes(1, 3)
