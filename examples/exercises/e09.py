"""Exercises of lesson 09: dropout, the gradient of batch norm, its running variance."""

import numpy as np
from hypothesis import strategies as st

import minigrad
from examples.exercises.asking import ask, cases
from minigrad import functional as F
from minigrad.testing.strategies import random_array, seeds

__all__ = ["shift_and_scale_cost_nothing", "the_mean_stays", "the_population_is_meant"]


def the_mean_stays(answer) -> None:
    """Hold that dropout drops the share p, and that the mean over many masks is x.

    Parameters
    ----------
    answer : function
        Takes x (n,), p, and as many random numbers, evenly from 0 … 1; gives the output (n,).

    Raises
    ------
    AssertionError
    """

    @cases(count=40, p=st.sampled_from([0.25, 0.5, 0.75, 0.1]), value=st.integers(1, 3))
    def holds(p: float, value: int) -> None:
        x = np.full(1000, float(value))
        u = (np.random.default_rng(0).permutation(1000) + 0.5) / 1000  # evenly, without luck
        case = f"with p = {p} and 1000 numbers {value}"
        out = np.asarray(ask(answer, case, x, p, u))
        assert out.shape == x.shape, f"x has shape {x.shape}, your output {out.shape}"
        share = float((out == 0).mean())
        assert abs(share - p) < 0.002, (
            f"{case} the share {share:.3g} is dropped: p is the probability to drop, not to keep"
        )
        assert np.isclose(out.mean(), value, rtol=1e-2), (
            f"{case} the mean of the output is {out.mean():.4g}. In use nothing is dropped and the "
            f"mean is {value}: make up for what is lost, by dividing what is kept by {1 - p:g}"
        )

    holds()


def shift_and_scale_cost_nothing(answer) -> None:
    """Hold the gradient of batch normalisation, of one channel, against the engine's.

    Parameters
    ----------
    answer : function
        Takes x (M,) and the gradient of x̂ (M,); gives the gradient of x (M,).

    Raises
    ------
    AssertionError
    """

    @cases(count=40, size=st.integers(3, 5), seed=seeds())
    def holds(size: int, seed: int) -> None:
        x, g = (np.round(random_array((size,), "distinct", seed=seed + i), 1) for i in range(2))
        leaf = minigrad.tensor(x[:, np.newaxis], requires_grad=True)
        F.batch_norm(leaf, None, None, training=True, eps=0.0).backward(g[:, np.newaxis])
        case = f"for x = {x} and g = {g}"
        got, want = np.asarray(ask(answer, case, x, g)), leaf.grad.data[:, 0]
        assert got.shape == x.shape, f"x has shape {x.shape}, your gradient {got.shape}"
        if np.allclose(got, want, rtol=1e-6, atol=1e-9):
            return
        largest = np.abs(got).max()
        if abs(got.sum()) > 1e-8 * largest:
            why = (
                f"yours adds up to {got.sum():.4f}, and must to 0: adding a constant to x changes "
                "nothing. The mean depends on x, too"
            )
        elif abs((got * x).sum()) > 1e-8 * largest * np.abs(x).max():
            why = (
                f"yours times x adds up to {(got * x).sum():.4f}, and must to 0: twice x changes "
                "nothing. The variance depends on x, too"
            )
        else:
            why = (
                f"yours is {largest / np.abs(want).max():.4f} times as large: divide by "
                "the root of the variance that divided in forward, Σ (x − mean)² / M"
            )
        raise AssertionError(f"{case} the gradient is {want}; {why}")

    holds()


def the_population_is_meant(answer) -> None:
    """Hold the running variance after a batch against the engine's.

    Parameters
    ----------
    answer : function
        Takes the running variance, x (M,) and momentum; gives the new running variance.

    Raises
    ------
    AssertionError
    """

    @cases(
        count=40,
        size=st.integers(2, 5),
        running=st.sampled_from([1.0, 0.5, 4.0]),
        momentum=st.sampled_from([0.1, 0.25]),
        seed=seeds(),
    )
    def holds(size: int, running: float, momentum: float, seed: int) -> None:
        x = np.round(random_array((size,), "distinct", seed=seed), 1)
        mean, var = minigrad.tensor(np.zeros(1)), minigrad.tensor(np.array([running]))
        tensor = minigrad.tensor(x[:, np.newaxis])
        F.batch_norm(tensor, mean, var, training=True, momentum=momentum)
        case = f"for running = {running}, momentum = {momentum} and x = {x}"
        got, want = float(ask(answer, case, running, x, momentum)), var.item()
        if np.isclose(got, want):
            return
        biased, unbiased = x.var(), x.var(ddof=1)
        why = "running variance and that of the batch are mixed, with shares that add up to 1"
        if np.isclose(got, (1 - momentum) * running + momentum * biased):
            why = (
                "the batch is a sample, and what is wanted is the variance of what it was drawn "
                f"from: divide by M − 1 = {size - 1}, not by {size}"
            )
        elif np.isclose(got, momentum * running + (1 - momentum) * unbiased):
            why = "the shares are exchanged: momentum is that of the batch"
        elif got > max(running, unbiased) * 1.001:
            why = "it must lie between the two: the old one is to be forgotten by as much"
        raise AssertionError(f"{case} it is {want:.4f}, yours {got:.4f}; {why}")

    holds()
