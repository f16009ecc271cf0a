"""The properties of lesson 16: a convolution of shifted pictures, and the roof over it."""

from collections.abc import Callable

import numpy as np
from hypothesis import strategies as st

from examples.exercises.asking import agree, ask, cases, digits

__all__ = ["at_best", "shifted"]


def shifted(answer: Callable) -> None:
    """Check out[o, i, j] = Σ weight[o, c, u, v] · x[c, i + u − 1, j + v − 1], zero outside."""
    size = st.integers(1, 2)

    @cases(C=size, O=size, H=st.integers(2, 4), W=st.integers(2, 4))
    def holds(C: int, O: int, H: int, W: int) -> None:
        x, weight = digits(C, H, W), digits(O, C, 3, 3, seed=1)
        case = f"for x of shape {x.shape} and weight of shape {weight.shape}"
        wrapped = sum(
            np.tensordot(weight[:, :, u, v], np.roll(x, (1 - u, 1 - v), (1, 2)), 1)
            for u, v in np.ndindex(3, 3)
        )
        told = [
            (_products(x, weight[:, :, ::-1, ::-1]),
             "The shifts go the wrong way, or the kernel is flipped: weight[…, 0, 0] meets the "
             "pixel above and to the left."),
            (_products(x, weight.swapaxes(2, 3)), "Rows and columns of the kernel are exchanged."),
            (np.tensordot(weight[:, :, 2, 2], _window(x, 2, 2), 1),
             "Only the last of the nine is left: add them up (+=)."),
            (np.tensordot(weight[:, :, 1, 1], x, 1), "That is only the middle of the kernel."),
            (wrapped, "np.roll brings pixels in again at the other side; outside is 0."),
            (_products(x, weight)[:, 1:-1, 1:-1], "The padding is missing: one pixel all around."),
        ]  # fmt: skip
        agree(case, "the output", ask(answer, case, x, weight), _products(x, weight), told)

    holds()


def at_best(answer: Callable) -> None:
    """Hold it against max(operations / peak, bytes / bandwidth)."""
    few = st.integers(1, 4)

    @cases(N=few, C=few, H=few, O=few, K=st.sampled_from([1, 3]))
    def holds(N: int, C: int, H: int, O: int, K: int) -> None:
        W, endless = H + 1, 1e12
        flop = 2 * N * O * C * K * K * H * W
        weights, outputs = 4 * O * C * K * K, 4 * N * O * H * W
        moved = 4 * N * C * H * W + weights + outputs

        def check(peak: float, bandwidth: float, mistakes: list[tuple[float, str]]) -> None:
            case = f"for {N=} {C=} {H=} {W=} {O=} {K=}, {peak:g} FLOP/s, {bandwidth:g} bytes/s"
            came = ask(answer, case, N, C, H, W, O, K, peak, bandwidth)
            agree(case, "the time", came, max(flop / peak, moved / bandwidth), mistakes)

        check(1.0, endless, [
            (flop / 2, "A multiplication and an addition are two operations."),
            (0.0, "That is only the way of the numbers: here the arithmetic takes longer."),
        ])  # fmt: skip
        check(endless, 1.0, [
            (moved / 4, "A float32 has four bytes."),
            (moved - weights, "The weights must move, too."),
            (moved - outputs, "The output must be written."),
            (0.0, "That is only the arithmetic: here the numbers take longer to move."),
        ])  # fmt: skip
        check(1.0, 1.0, [
            (flop + moved, "Both go on at the same time: the slower one counts, not the sum."),
        ])  # fmt: skip

    holds()


def _window(x: np.ndarray, u: int, v: int) -> np.ndarray:
    """Return what [u, v] of the kernel meets."""
    _, H, W = x.shape
    return np.pad(x, ((0, 0), (1, 1), (1, 1)))[:, u : u + H, v : v + W]


def _products(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    pairs = ((weight[:, :, u, v], _window(x, u, v)) for u, v in np.ndindex(3, 3))
    return np.sum([np.tensordot(w, seen, 1) for w, seen in pairs], axis=0)
