"""Batches of scores and true classes, for losses."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import DTypeLike

from minigrad.autograd import Array
from minigrad.testing.strategies.arrays import numbers, seeds

Shape = tuple[int, ...]


@dataclass(frozen=True)
class ClassificationBatch:
    """Scores, their true classes, and what a loss takes beside them.

    Attributes
    ----------
    logits : (N, C) or (N, C, ...)
        The shape of the scores.
    target : tuple of int
        The true classes, example by example, row by row.
    weight : tuple of float, or None
        One for each class.
    ignore_index : int
    label_smoothing : float
    reduction : {"mean", "sum", "none"}
    scale : float
        What the scores are multiplied with.
    seed : int
        Of the scores.

    Examples
    --------
    >>> import minigrad
    >>> from minigrad.testing.strategies import ClassificationBatch
    >>> batch = ClassificationBatch(logits=(2, 3), target=(0, -100), label_smoothing=0.1)
    >>> logits, target, weight = batch.arrays()
    >>> loss = minigrad.functional.cross_entropy(minigrad.tensor(logits), target, **batch.options)
    >>> loss.shape
    ()
    """

    logits: Shape
    target: tuple[int, ...]
    weight: tuple[float, ...] | None = None
    ignore_index: int = -100
    label_smoothing: float = 0.0
    reduction: str = "mean"
    scale: float = 1.0
    seed: int = 0

    def arrays(
        self, dtype: DTypeLike = np.float64, values: str = "normal"
    ) -> tuple[Array, Array, Array | None]:
        """Make logits (of `values` as in `random_array`), target, and weight or None."""
        logits = numbers(np.random.default_rng(self.seed), self.logits, values, dtype)
        logits *= logits.dtype.type(self.scale)
        target = np.array(self.target, np.int64).reshape(self.logits[:1] + self.logits[2:])
        return logits, target, None if self.weight is None else np.array(self.weight, dtype)

    @property
    def options(self) -> dict[str, Any]:
        """What `cross_entropy` takes beside logits, target and weight."""
        return {**self.nll_options, "label_smoothing": self.label_smoothing}

    @property
    def nll_options(self) -> dict[str, Any]:
        """What `nll_loss` takes beside log-probabilities, target and weight."""
        return {"ignore_index": self.ignore_index, "reduction": self.reduction}


@st.composite
def classification_batches(
    draw: st.DrawFn,
    *,
    max_classes: int = 5,
    max_extra_axes: int = 2,
    scales: tuple[float, ...] = (1.0,),
    nothing_counts: bool = False,
) -> ClassificationBatch:
    """Draw a batch for a loss, as a `ClassificationBatch`.

    N is 1 … 3, C is 1 … `max_classes`, with 0 … `max_extra_axes` further axes of 1 … 3. The index
    that is ignored is −100, −1 or the last class; an example is ignored as often as it has any one
    class. The weights, if there are any, are 1, 2, 3 or 0.5; label smoothing is 0, 0.1 or 1; the
    reduction any.

    Shrinks towards one example of one class, with no weights, no smoothing and the mean.

    Parameters
    ----------
    max_classes, max_extra_axes : int
    scales : tuple of float
        What standard normal scores may be multiplied with, one of these; 1e4 overflows a softmax
        that does not subtract the largest score.
    nothing_counts : bool
        Draw also batches of N = 0, and such whose examples are all ignored: the mean over those is
        NaN. If not, one example counts at least.

    Examples
    --------
    >>> from hypothesis import find
    >>> from minigrad.testing import strategies
    >>> find(strategies.classification_batches(), lambda batch: batch.reduction == "sum")
    ClassificationBatch(logits=(1, 1), target=(0,), weight=None, ignore_index=-100,
                        label_smoothing=0.0, reduction='sum', scale=1.0, seed=0)
    """
    n = draw(st.sampled_from([1, 2, 3, 0] if nothing_counts else [1, 2, 3]), label="N")
    classes = draw(st.integers(1, max_classes), label="C")
    extra = tuple(draw(st.lists(st.integers(1, 3), max_size=max_extra_axes), label="more axes"))
    last = [classes - 1] if classes > 1 else []
    ignore_index = draw(st.sampled_from([-100, -1, *last]), label="ignore_index")
    counting = [c for c in range(classes) if c != ignore_index]
    examples = math.prod((n, *extra))
    free = examples if nothing_counts else examples - 1
    target = draw(
        st.lists(st.sampled_from([*counting, ignore_index]), min_size=free, max_size=free),
        label="target",
    )
    if not nothing_counts:
        place = draw(st.integers(0, free), label="an example that counts")
        target.insert(place, draw(st.sampled_from(counting), label="its class"))
    weights = st.lists(st.sampled_from([1.0, 2.0, 3.0, 0.5]), min_size=classes, max_size=classes)
    return ClassificationBatch(
        logits=(n, classes, *extra),
        target=tuple(target),
        weight=draw(st.none() | weights.map(tuple), label="weight"),
        ignore_index=ignore_index,
        label_smoothing=draw(st.sampled_from([0.0, 0.1, 1.0]), label="label_smoothing"),
        reduction=draw(st.sampled_from(["mean", "sum", "none"]), label="reduction"),
        scale=draw(st.sampled_from(scales), label="scale"),
        seed=draw(seeds(), label="seed"),
    )
