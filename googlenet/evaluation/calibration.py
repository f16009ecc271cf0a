"""Whether a network is as sure as it should be: the reliability diagram and its sums.

Of all pictures of whose class a network is 80 % sure, it should be right about 80 %. Pictures are
sorted into bins by how sure it is (the probability of the class it names), and in each bin the
share that is right is held against how sure it was.

Sources
-------
- Guo et al., "On Calibration of Modern Neural Networks", ICML 2017: the diagram, and the expected
  calibration error, the mean distance between the two over all pictures.
- Naeini et al., "Obtaining Well Calibrated Probabilities Using Bayesian Binning", AAAI 2015.
- G. W. Brier, "Verification of forecasts expressed in terms of probability", Monthly Weather Review
  78 (1950): the mean of Σ (p − y)² over the classes, y being 1 for the true one; from 0 to 2.
"""

from typing import Any, NamedTuple

import numpy as np

from googlenet.evaluation.intervals import wilson

__all__ = ["BINS", "Calibration", "reliability"]

BINS = 15  # as many as Guo et al. have


class Calibration(NamedTuple):
    """How sure a network is, beside how often it is right.

    Attributes
    ----------
    edges : array (bins + 1,)
        Of the bins, from 0 to 1. A bin holds its upper edge, and not its lower one.
    counts : array (bins,)
        Pictures.
    confidence, accuracy : array (bins,)
        How sure the network is on average, and the share that is right; NaN in an empty bin.
    """

    edges: np.ndarray
    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray

    @property
    def error(self) -> float:
        """The expected calibration error: the mean |accuracy − confidence|, over all pictures."""
        return float(self._mean(np.abs(self.accuracy - self.confidence)))

    @property
    def largest_error(self) -> float:
        """The largest |accuracy − confidence| of a bin."""
        return float(np.nanmax(np.abs(self.accuracy - self.confidence)))

    @property
    def overconfidence(self) -> float:
        """How much surer the network is than right, on average; below 0, less sure."""
        return float(self._mean(self.confidence - self.accuracy))

    def _mean(self, of_bins: np.ndarray) -> float:
        return np.nansum(self.counts * of_bins) / self.counts.sum()

    def intervals(self) -> np.ndarray:
        """(bins, 2): Wilson's 95 % interval of each accuracy; NaN in an empty bin."""
        right = np.rint(np.nan_to_num(self.counts * self.accuracy)).astype(int)
        pairs = zip(right.tolist(), self.counts.tolist(), strict=True)
        return np.array([wilson(*pair) if pair[1] else (np.nan, np.nan) for pair in pairs])

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON has it; what an empty bin does not have is None."""
        return {
            "expected_calibration_error": self.error,
            "largest_calibration_error": self.largest_error,
            "overconfidence": self.overconfidence,
            "edges": self.edges.tolist(),
            "counts": self.counts.tolist(),
            "confidence": _or_none(self.confidence),
            "accuracy": _or_none(self.accuracy),
        }


def _or_none(values: np.ndarray) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]


def reliability(confidence: np.ndarray, right: np.ndarray, bins: int = BINS) -> Calibration:
    """Sort pictures into bins of equal width by how sure a network is of them.

    Parameters
    ----------
    confidence : array (N,)
        The probability of the class that it names, from 0 to 1.
    right : array (N,) of bool
        Whether that is the true one.
    bins : int

    Returns
    -------
    Calibration

    Raises
    ------
    ValueError
        If there are no pictures or no bins, or the lengths differ.

    Examples
    --------
    >>> found = reliability(np.array([0.9, 0.8, 0.6]), np.array([True, False, True]), bins=2)
    >>> found.counts, round(found.error, 6)  # |2/3 − 2.3/3|
    (array([0, 3]), 0.1)
    """
    if bins < 1:
        raise ValueError(f"reliability: bins must be at least 1, got {bins!r}")
    if confidence.shape != right.shape or confidence.ndim != 1 or not len(right):
        raise ValueError(
            f"reliability: confidence and right must be arrays of one length, at least 1, got "
            f"shapes {confidence.shape} and {right.shape}"
        )
    edges = np.linspace(0, 1, bins + 1)
    # Rounding may leave a probability a hair above 1; 0 belongs to the first bin.
    which = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    counts = np.bincount(which, minlength=bins)
    with np.errstate(invalid="ignore"):
        sure, share = (
            np.bincount(which, weights=values.astype(np.float64), minlength=bins) / counts
            for values in (confidence, right)
        )
    return Calibration(edges, counts, sure, share)
