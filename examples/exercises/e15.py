"""The properties of lesson 15: where a logit comes from, and what falls when a part is covered."""

from collections.abc import Callable

import numpy as np
from hypothesis import strategies as st

from examples.exercises.asking import agree, ask, cases, digits

__all__ = ["class_activation_map", "occlusion"]


def class_activation_map(answer: Callable) -> None:
    """Check the map, whose mean is the logit without its bias."""
    size = st.integers(2, 3)

    @cases(K=size, H=size, W=size, label=st.integers(0, 1))
    def holds(K: int, H: int, W: int, label: int) -> None:
        features, weight = digits(K, H, W), digits(2, K, seed=1) - 5
        needed = np.tensordot(weight[label], features, 1)
        case = f"for {K} channels of {H}×{W} and class {label} of 2"
        came = ask(answer, case, features, weight, label)
        other = np.tensordot(weight[1 - label], features, 1)
        agree(case, "the map", came, needed, [
            (features.mean(0), "That is the mean of the channels, the same for every class: weigh "
                               "channel k by weight[label, k]."),
            (features.sum(0), "That is the sum of the channels, the same for every class: weigh "
                              "channel k by weight[label, k]."),
            (needed / K, "The channels are summed, as in the logit; the mean is over the places."),
            (needed.mean(), "That is the logit already: keep the places apart."),
            (needed / (H * W), "Its mean must be the logit, so do not divide by the places again."),
            (np.maximum(needed, 0), "Negative places speak against the class: without them the "
                                    "mean is not the logit."),
            (np.tensordot(np.maximum(weight[label], 0), features, 1),
             "Channels with negative weights count too."),
            (np.tensordot(np.abs(weight[label]), features, 1),
             "A channel with a negative weight speaks against the class: keep its sign."),
            (other, "That is the other class's map: classes are the first axis of weight."),
            (np.tensordot(weight.sum(0), features, 1),
             "All classes are mixed there: take the row weight[label]."),
            (weight[label][:, np.newaxis, np.newaxis] * features,
             "That is what each channel contributes: add them up."),
        ])  # fmt: skip

    holds()


def occlusion(answer: Callable) -> None:
    """Of a score that is a weighted sum of pixels, the fall is that of the covered ones."""
    side = st.integers(2, 4)

    @cases(H=side, W=side, size=st.integers(1, 2), fill=st.sampled_from([0.0, 1.0]))
    def holds(H: int, W: int, size: int, fill: float) -> None:
        image, weights = digits(H, W) + 1, digits(H, W, seed=1)

        def score(x: np.ndarray) -> float:
            return float((weights * x).sum())

        def falls(keep: bool, corners: tuple[int, int]) -> np.ndarray:
            given, covered = np.zeros(corners), image.copy()
            for y, x in np.ndindex(given.shape):
                covered = image.copy() if keep else covered
                covered[y : y + size, x : x + size] = fill
                given[y, x] = score(image) - score(covered)
            return given

        corners = H - size + 1, W - size + 1
        needed = falls(True, corners)
        case = f"for an image of {H}×{W}, a square of {size}×{size}, fill {fill:g}"
        try:
            came = answer(score, (handed := image.copy()), size, fill)
        except NotImplementedError:
            raise
        except Exception as error:
            raise AssertionError(
                f"{case} your code raises {type(error).__name__}: {error}"
            ) from error
        assert np.array_equal(handed, image), (
            f"{case} the image itself is covered, and stays so: later squares are added to earlier "
            "ones. Cover a copy."
        )
        short = H - size, W - size
        agree(case, "the fall", came, needed, [
            (-needed, "The sign is turned: what it was before, minus what it is covered."),
            (score(image) - needed, "That is the score when covered: by how much does it fall?"),
            (falls(False, corners), "Earlier squares are still covered: begin with a fresh "
                                    "copy for each place."),
            (falls(True, short), "The last places are missing: H − size + 1 squares fit."),
            (np.pad(needed, ((0, size - 1), (0, size - 1))),
             "Squares that hang over the edge do not count."),
            *([(_zeroed(image, weights, size, needed.shape),
                "Covered pixels become `fill`, not 0.")] if fill else []),
        ])  # fmt: skip

    holds()


def _zeroed(image: np.ndarray, weights: np.ndarray, size: int, shape: tuple) -> np.ndarray:
    given = np.zeros(shape)
    for y, x in np.ndindex(shape):
        given[y, x] = (weights * image)[y : y + size, x : x + size].sum()
    return given
