"""Gradients of several batches, for one step: large batches on machines too small for them.

The loss of a batch is a mean over its samples. Cut n samples into batches of n₁, n₂, …; then ::

    L = Σ nᵢ · Lᵢ / n            gradient of L = Σ nᵢ · (gradient of Lᵢ) / n

so the mean of the batches' gradients, weighed by their sizes, is the gradient of one batch of all
samples (but for rounding). That holds where a sample's loss does not depend on the others: not with
batch normalisation, whose statistics are those of each small batch.
"""

from collections.abc import Iterable
from typing import Any

from minigrad.autograd import Variable
from minigrad.nn import Parameter
from minigrad.optim import updates
from minigrad.optim.options import is_whole


class GradientAccumulator:
    """The mean of the gradients of several batches.

    Kept as a mean at every moment, m ← m + (n / N) · (g − m), N being the samples so far: how many
    will come need not be known, and nothing grows large.

    Parameters
    ----------
    parameters : iterable of Parameter
        Of float32 or float64, as optimisers take them.

    Attributes
    ----------
    count : int
        Samples so far.

    Examples
    --------
    >>> import minigrad
    >>> from minigrad import nn, optim
    >>> layer = nn.Linear(1, 1)
    >>> gradients = optim.GradientAccumulator(layer.parameters())
    >>> for batch in ([[1.0], [2.0]], [[6.0]]):
    ...     layer(minigrad.tensor(batch)).mean().backward()
    ...     gradients.add(len(batch))
    >>> gradients.finish()
    >>> layer.weight.grad
    tensor([[3.]], dtype=float32, device=cpu)
    """

    def __init__(self, parameters: Iterable[Parameter]) -> None:
        self.parameters = list(parameters)
        for i, parameter in enumerate(self.parameters):
            if not isinstance(parameter, Variable) or parameter.data.dtype.char not in "fd":
                what = getattr(parameter, "dtype", type(parameter).__name__)
                raise TypeError(
                    f"GradientAccumulator: parameters must be tensors of float32 or float64, but "
                    f"parameter {i} is {what}"
                )
        self.count = 0
        self._means: list[Any] = [None] * len(self.parameters)

    def add(self, count: int) -> None:
        """Take in what backward left, the gradients of a mean over `count` samples.

        The parameters have none afterwards. Who has none now is taken to have zeros.

        Raises
        ------
        ValueError
            If `count` is not at least 1.
        """
        if not is_whole(count) or count < 1:
            raise ValueError(
                f"GradientAccumulator: count must be a whole number of at least 1, got {count!r}"
            )
        self.count += int(count)
        share = count / self.count
        with updates.together():
            for i, parameter in enumerate(self.parameters):
                mean, gradient = self._means[i], parameter.grad
                parameter.grad = None
                if gradient is None:
                    if mean is not None:
                        mean *= mean.dtype.type(1 - share)
                elif mean is None:
                    # A copy: a recorded step will write its gradients to the same place again.
                    self._means[i] = gradient.data.copy(order="K")
                    if share < 1:
                        self._means[i] *= self._means[i].dtype.type(share)
                else:
                    updates.average(mean, gradient.data, share)

    def finish(self) -> None:
        """Give the parameters the means for their gradients, and begin anew."""
        for i, parameter in enumerate(self.parameters):
            mean = self._means[i]
            parameter.grad = None if mean is None else parameter.new(mean)
        self.count, self._means = 0, [None] * len(self.parameters)
