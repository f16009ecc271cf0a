"""Mistakes in softmax, log-softmax, negative log-likelihood and cross entropy."""
# A mistake takes what it breaks, and its docstring tells a story.
# mypy: allow-untyped-defs, no-check-untyped-defs
# ruff: noqa: D401

import numpy as np

from minigrad.ops import softmax_cross_entropy as loss
from minigrad.testing.mutants.mutant import at, every_rung, mutant

RUNGS = loss.RUNGS

# -- softmax -------------------------------------------------------------------------------------


@mutant("softmax", every_rung(RUNGS, "softmax_input_gradient"), historical=True)
def softmax_gradient_zero(sound, gradient, out):
    """A gradient check that sums the outputs accepted zeros: probabilities always add up to 1."""
    return np.zeros_like(out)


@mutant("softmax", every_rung(RUNGS, "softmax_input_gradient"))
def softmax_gradient_without_the_inner_sum(sound, gradient, out):
    """Only the diagonal p·G: what a score takes from the others is forgotten."""
    return gradient * out


@mutant("softmax", every_rung(RUNGS, "softmax_input_gradient"))
def softmax_gradient_of_sigmoid(sound, gradient, out):
    """The derivative p·(1 − p) of a single sigmoid, number by number."""
    return gradient * out * (1 - out)


@mutant("softmax", every_rung(RUNGS, "softmax_forward", "softmax_input_gradient"))
def softmax_over_the_other_axis(sound, *arrays):
    """Every column adds up to 1 instead of every row, forward and backward alike."""
    return np.ascontiguousarray(sound(*(np.ascontiguousarray(a.T) for a in arrays)).T)


@mutant("softmax", every_rung(RUNGS, "softmax_forward"))
def softmax_overflows(sound, x):
    """The largest score is not subtracted: exp(1000) is infinite, and ∞/∞ is NaN."""
    with np.errstate(over="ignore", invalid="ignore"):
        exponentials = np.exp(x)
        return exponentials / exponentials.sum(axis=1, keepdims=True)


@mutant("softmax", every_rung(RUNGS, "softmax_forward"))
def softmax_shifted_by_the_whole_batch(sound, x):
    """The largest score of the batch is subtracted: in rows far below it everything is 0/0."""
    with np.errstate(invalid="ignore"):
        exponentials = np.exp(x - x.max(initial=-np.inf))
        return exponentials / exponentials.sum(axis=1, keepdims=True)


# -- log-softmax ---------------------------------------------------------------------------------


@mutant("log_softmax", every_rung(RUNGS, "log_softmax_input_gradient"))
def log_softmax_gradient_zero(sound, gradient, out):
    """Zeros: where all classes are equally likely, the sum of the outputs has no slope either."""
    return np.zeros_like(out)


@mutant("log_softmax", every_rung(RUNGS, "log_softmax_input_gradient"))
def log_softmax_gradient_without_the_sum(sound, gradient, out):
    """G − p, as if the gradient of a row always added up to 1, as in the loss it does."""
    return gradient - np.exp(out)


@mutant("log_softmax", every_rung(RUNGS, "log_softmax_forward"))
def log_softmax_overflows(sound, x):
    """The largest score is not subtracted: z − ln Σ exp(z) is −∞ for z = 1000."""
    with np.errstate(over="ignore", invalid="ignore"):
        return x - np.log(np.exp(x).sum(axis=1, keepdims=True))


@mutant("log_softmax", every_rung(RUNGS, "log_softmax_forward"))
def log_softmax_as_two_steps(sound, x):
    """The logarithm of the softmax: ln 0 = −∞ where the answer is −1000."""
    shifted = np.exp(x - x.max(axis=1, keepdims=True, initial=-np.inf))
    with np.errstate(divide="ignore"):
        return np.log(shifted / shifted.sum(axis=1, keepdims=True))


@mutant("log_softmax", every_rung(RUNGS, "log_softmax_forward"))
def log_softmax_to_base_two(sound, x):
    """Bits instead of nats."""
    return sound(x) / x.dtype.type(np.log(2))


# -- cross entropy: label smoothing and class weights --------------------------------------------

CROSS = "cross_entropy_forward", "cross_entropy_input_gradient"


@mutant("cross_entropy", every_rung(RUNGS, *CROSS))
def cross_entropy_smooths_to_the_other_classes(sound, *arguments):
    """The share ε goes to the C − 1 wrong classes, not to all C. Forward and backward alike."""
    *rest, weight, ignore_index, smoothing = arguments
    others = max(len(weight) - 1, 1)
    return sound(*rest, weight, ignore_index, smoothing * len(weight) / others)


@mutant("cross_entropy", every_rung(RUNGS, "cross_entropy_input_gradient"))
def cross_entropy_gradient_without_smoothing(sound, *arguments):
    """Label smoothing is forgotten on the way back."""
    return sound(*arguments[:-1], 0.0)


@mutant("cross_entropy", every_rung(RUNGS, "cross_entropy_forward"))
def cross_entropy_smoothing_not_weighted(sound, logits, target, weight, ignore_index, smoothing):
    """The smoothed share counts each class once, whatever the class weights are."""
    out, probabilities = sound(logits, target, weight, ignore_index, smoothing)
    logs = np.log(np.maximum(probabilities, np.finfo(probabilities.dtype).tiny))
    excess = smoothing / len(weight) * (logs * (weight - 1)).sum(axis=1)
    counted = np.where(target == ignore_index, 0, excess)
    return (out + counted).astype(out.dtype), probabilities


@mutant("cross_entropy", every_rung(RUNGS, "cross_entropy_input_gradient"))
def cross_entropy_gradient_without_class_weights(sound, *arguments):
    """Class weights are forgotten on the way back."""
    *rest, weight, ignore_index, smoothing = arguments
    return sound(*rest, np.ones_like(weight), ignore_index, smoothing)


# -- which rows count, and what the mean divides by ----------------------------------------------


@mutant("cross_entropy", every_rung(RUNGS, "cross_entropy_forward"))
def cross_entropy_ignores_nobody(sound, logits, target, weight, ignore_index, smoothing):
    """Rows to be ignored count as if they were of class 0."""
    counted = np.where(target == ignore_index, 0, target)
    return sound(logits, counted, weight, -1, smoothing)


@mutant("cross_entropy", every_rung(RUNGS, "cross_entropy_input_gradient"))
def cross_entropy_ignored_rows_get_gradients(sound, gradient, probabilities, target, *rest):
    """Rows that were ignored in the loss get a gradient all the same."""
    weight, ignore_index, smoothing = rest
    counted = np.where(target == ignore_index, 0, target)
    return sound(gradient, probabilities, counted, weight, -1, smoothing)


@mutant("cross_entropy", at(loss, "_divisor"))
def cross_entropy_mean_over_ignored_rows(sound, reduction, target, weights, ignore_index):
    """The mean divides by all rows, those to be ignored included."""
    return sound(reduction, np.where(target == ignore_index, 0, target), weights, -1)


@mutant("cross_entropy", at(loss, "_divisor"))
def cross_entropy_mean_over_rows(sound, reduction, target, weights, ignore_index):
    """The mean divides by the number of rows and not by the sum of their weights."""
    return sound(reduction, target, np.ones_like(weights), ignore_index)


@mutant("cross_entropy", at(loss, "_per_row"))
def cross_entropy_gradient_of_the_sum(sound, gradient, divisor, target):
    """The loss is the mean, its gradient that of the sum: learning rates grow with the batch."""
    return sound(gradient, divisor * 0 + 1, target)


@mutant("cross_entropy", at(loss, "_per_row"))
def cross_entropy_incoming_gradient_ignored(sound, gradient, divisor, target):
    """The loss takes itself for the last operation: what comes from behind it is not looked at."""
    return sound(np.ones_like(gradient), divisor, target)


@mutant("cross_entropy", every_rung(RUNGS, "cross_entropy_forward"))
def cross_entropy_probabilities_of_a_log(sound, *arguments):
    """What is kept for backward are logarithms and not probabilities."""
    losses, probabilities = sound(*arguments)
    return losses, np.log(probabilities)


@mutant("cross_entropy", at(loss.cpu, "cross_entropy_input_gradient"))
def cross_entropy_last_row_of_a_block(sound, gradient, *rest):
    """In the fast rung the last row gets no gradient: a range that ends one too early."""
    out = sound(gradient, *rest)
    out[-1:] = 0
    return out


# -- probabilities as targets --------------------------------------------------------------------


@mutant("cross_entropy", at(loss, "_of_probabilities"))
def cross_entropy_of_probabilities_averages_classes(sound, logits, target, weights, *rest):
    """With probabilities as targets the mean is over all numbers, not over examples."""
    out = sound(logits, target, weights, *rest)
    return out * (1 / len(weights)) if rest[0] == "mean" else out


@mutant("cross_entropy", at(loss, "_of_probabilities"))
def cross_entropy_targets_detached(sound, logits, target, *rest):
    """Probabilities as targets get no gradient, as if they were labels."""
    return sound(logits, target.detach() if hasattr(target, "detach") else target, *rest)


# -- negative log-likelihood ---------------------------------------------------------------------


@mutant("nll_loss", every_rung(RUNGS, "nll_forward", "nll_input_gradient"))
def nll_loss_without_its_sign(sound, *arguments):
    """The likelihood is minimised: forward and backward agree, and learning goes downhill."""
    return -sound(*arguments)


@mutant("nll_loss", every_rung(RUNGS, "nll_input_gradient"))
def nll_loss_gradient_without_class_weights(sound, gradient, target, weight, ignore_index):
    """Class weights are forgotten on the way back."""
    return sound(gradient, target, np.ones_like(weight), ignore_index)


@mutant("nll_loss", every_rung(RUNGS, "nll_input_gradient"))
def nll_loss_ignored_rows_get_gradients(sound, gradient, target, weight, ignore_index):
    """Rows that were ignored in the loss get a gradient all the same."""
    return sound(gradient, np.where(target == ignore_index, 0, target), weight, -1)


@mutant("nll_loss", every_rung(RUNGS, "nll_forward"))
def nll_loss_of_the_likeliest(sound, log_probabilities, target, weight, ignore_index):
    """The best score is picked, and not that of the target."""
    best = log_probabilities.argmax(axis=1)
    return sound(log_probabilities, np.where(target == ignore_index, target, best), weight,
                 ignore_index)  # fmt: skip
