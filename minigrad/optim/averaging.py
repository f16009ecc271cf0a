"""Averages of weights over the steps of a training: Polyak–Ruppert's, and exponential ones.

**Why the mean.** Near an optimum a loss is a quadratic, and a step of SGD at the rate γ is ::

    x[t+1] = x[t] − γ · (A · x[t] + noise[t])             (the optimum at 0, A the curvature)

The noise of the batches never ends, so x ends in a cloud about the optimum, the wider the larger γ.
Solve each step for A · x[t], and take the mean over n steps; the left part telescopes::

    A · mean(x) = (x[1] − x[n+1]) / (γ·n) − mean(noise)

The first term falls like 1/n and the second is a mean of n independent numbers. So mean(x) goes to
the optimum like A⁻¹ · noise / √n, *whatever γ is*, and nothing that sees n such gradients can do
better (it is the Cramér–Rao bound). Steps stay long, which finds the valley fast, and the mean does
what a falling rate would have to do. GoogLeNet's authors used such a mean as their final network.

**Why an exponential one.** The mean must not begin far away from the optimum: x[1] / (γ·n) stands
in it, and in a deep network the first weights are of no use at all. Either it begins late
(`start`), or it forgets::

    mean ← mean + w · (x − mean)      w = 1/n                   the mean of all n
                                      w = (1 − d) / (1 − dⁿ)    each step back counts d times less

The second w weighs x[n−i] by dⁱ, and divides by the sum of these weights, 1 + d + … + dⁿ⁻¹: so
there is no bias towards where it began, and with d → 1 it is the first. (PyTorch's w is 1 − d from
the second step on, which leaves the first weights dⁿ⁻¹ of the whole, and takes 1/(1 − d) steps to
forget them. ``bias_correction=False`` does the same.)

**Buffers.** Running means and variances of batch normalisation tell what came out of the layers
under the weights of their time. The averaged network needs its own; the same average of them is
near to that, and costs nothing. (Exact are those of one more pass over the training pictures, in
training mode, within `WeightAverage.swapped`.) Integers, counters say, are not averaged but copied.

References: B. Polyak and A. Juditsky, "Acceleration of stochastic approximation by averaging",
1992; D. Ruppert, 1988. Kingma and Ba, "Adam", 2015, for the correction. P. Izmailov et al.,
"Averaging weights leads to wider optima and better generalization", 2018, for deep networks.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from minigrad import device
from minigrad.autograd import as_array
from minigrad.dtypes import is_floating
from minigrad.nn import Module
from minigrad.optim import state as states
from minigrad.optim import updates
from minigrad.optim.options import is_number, is_whole
from minigrad.tensor import Tensor


class WeightAverage:
    """The average of a network's weights and buffers over the steps of its training.

    What PyTorch calls ``AveragedModel``, without a second network: the averages are arrays beside
    the first, and `swapped` lends them to it.

    Parameters
    ----------
    net : Module
        Of float32 or float64. It may move between devices; the averages follow.
    decay : float, optional
        In [0, 1): an exponential average that remembers about 1 / (1 − decay) steps. Without one,
        the plain mean of all. (In float32 the plain mean hardly moves any more after some 100,000
        updates: call `update` every so many steps then.)
    start : int
        So many calls of `update` are passed over first.
    bias_correction : bool
        Whether an exponential average forgets its first weights like all others. Without, it is
        PyTorch's ``get_ema_multi_avg_fn(decay)``.

    Attributes
    ----------
    steps : int
        How often `update` was called.
    n_averaged : int
        How many networks are in the average: `steps` − `start`, or 0.

    Examples
    --------
    >>> from minigrad import nn, optim
    >>> layer = nn.Linear(1, 1)
    >>> average = optim.WeightAverage(layer)
    >>> for value in (1.0, 2.0, 6.0):  # a training
    ...     layer.weight.data.fill(value)  # a step
    ...     average.update()
    >>> with average.swapped():
    ...     layer.weight.item()
    3.0
    >>> layer.weight.item()
    6.0
    """

    def __init__(
        self,
        net: Module,
        decay: float | None = None,
        start: int = 0,
        bias_correction: bool = True,
    ) -> None:
        if decay is not None and not (is_number(decay) and 0 <= decay < 1):
            raise ValueError(
                f"WeightAverage: decay must be None or a number in [0, 1), got {decay!r}"
            )
        if not is_whole(start) or start < 0:
            raise ValueError(f"WeightAverage: start must be 0 or more steps, got {start!r}")
        self.decay = None if decay is None else float(decay)
        self.start, self.bias_correction = int(start), bool(bias_correction)
        self.steps = 0
        self._lent = False
        self._tensors = dict(_named(net))
        self._averages: dict[str, Any] = {}
        for name, tensor in self._tensors.items():
            if is_floating(tensor.data.dtype) and tensor.data.dtype.char not in "fd":
                raise TypeError(
                    f"WeightAverage: {name} is {tensor.dtype}; averages are kept in float32 or "
                    "float64 (in 16 bits a small change changes nothing)"
                )

    @property
    def n_averaged(self) -> int:
        """How many networks are in the average."""
        return max(self.steps - self.start, 0)

    def update(self) -> None:
        """Take the network as it is now into the average: call it after the optimiser's step.

        One pass over memory: reads weights and averages, writes the averages.
        """
        self._check_not_lent("update")
        self.steps += 1
        n = self.n_averaged
        if n == 0:
            return
        weight = self._weight(n)
        with updates.together():
            for name, tensor in self._tensors.items():
                data = tensor.data
                if weight == 1 or data.dtype.char not in "fd":
                    self._averages[name] = data.copy(order="K")
                    continue
                average = self._averages[name] = updates.as_like(self._averages[name], data)
                updates.average(average, data, weight)

    def _weight(self, n: int) -> float:
        """Return how much the n-th network counts, n from 1."""
        if self.decay is None:
            return 1 / n
        if not self.bias_correction:
            return 1.0 if n == 1 else 1 - self.decay
        return (1 - self.decay) / (1 - self.decay**n)

    def weights(self) -> dict[str, np.ndarray]:
        """Return the averages by name, as `Module.state_dict` has them: the arrays themselves.

        As long as nothing was averaged, the network's own.
        """
        if self.n_averaged and not self._lent:
            return dict(self._averages)
        return {name: tensor.data for name, tensor in self._tensors.items()}

    @contextmanager
    def swapped(self) -> Iterator[None]:
        """Let the network have the averages inside the ``with``, and its own weights after it.

        Arrays change hands, no number is copied: what is changed inside is the average. As long as
        nothing was averaged, the network keeps its own.

        Raises
        ------
        RuntimeError
            If it has them already.
        """
        self._check_not_lent("swapped")
        if not self.n_averaged:
            yield
            return
        own = {name: tensor.data for name, tensor in self._tensors.items()}
        for name, tensor in self._tensors.items():
            tensor.data = self._averages[name] = updates.as_like(self._averages[name], tensor.data)
        self._lent = True
        try:
            yield
        finally:
            self._lent = False
            for name, tensor in self._tensors.items():
                # It may have moved meanwhile.
                self._averages[name] = tensor.data
                tensor.data = device.put_like(own[name], tensor.data)

    def _check_not_lent(self, method: str) -> None:
        if self._lent:
            raise RuntimeError(
                f"WeightAverage: {method} cannot be called inside swapped(): the network has the "
                "averages in the place of its weights"
            )

    # -- to be kept --------------------------------------------------------------------------

    def state_dict(self) -> dict[str, dict[str, Any]]:
        """Return all that is needed to go on averaging, to the bit; see `Optimizer.state_dict`.

        Returns
        -------
        dict
            "arrays": the averages by name, themselves: the next update changes them. "values": the
            options and the steps.
        """
        arrays = self.weights() if self.n_averaged else {}
        return {"arrays": arrays, "values": {**self._options(), "steps": self.steps}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up what `state_dict` gave. Nothing changes unless all of it fits.

        Raises
        ------
        ValueError
            Lists all that does not fit: other options, arrays that are missing, unexpected, or of
            another shape or dtype.
        """
        self._check_not_lent("load_state_dict")
        arrays, values = states.parts(state)
        if arrays is None or values is None:
            problems = ['a state is {"arrays": {...}, "values": {...}}']
        else:
            problems = self._misfits(arrays, values)
        if problems or arrays is None or values is None:
            listed = "".join(f"\n  {problem}" for problem in problems)
            raise ValueError(f"load_state_dict: the state does not fit this WeightAverage:{listed}")
        averages = {}
        for name, array in arrays.items():
            data = self._tensors[name].data
            averages[name] = updates.zeros_like(data)
            averages[name][...] = device.put_like(as_array(array), data)
        self.steps, self._averages = int(values["steps"]), averages

    def _options(self) -> dict[str, Any]:
        return {
            "decay": self.decay, "start": self.start, "bias_correction": self.bias_correction
        }  # fmt: skip

    def _misfits(self, arrays: Mapping[str, Any], values: Mapping[str, Any]) -> list[str]:
        """List all that keeps a state from being taken up."""
        problems = [
            f"{option}: {values.get(option, 'missing')!r} there, {here!r} here"
            for option, here in self._options().items()
            if option not in values or values[option] != here
        ]
        steps: Any = values.get("steps")
        if not is_whole(steps) or not 0 <= steps < 2**63:
            return [*problems, f"steps: {steps!r}, needs a whole number of at least 0"]
        wanted = self._tensors if steps > self.start else {}
        problems += [f"missing: {name}" for name in wanted if name not in arrays]
        problems += [f"unexpected: {name}" for name in arrays if name not in wanted]
        for name, tensor in wanted.items():
            given = as_array(arrays[name]) if name in arrays else tensor.data
            if (given.shape, given.dtype) != (tensor.shape, tensor.data.dtype):
                problems.append(
                    f"{name}: shape {given.shape} and dtype {given.dtype}, needs {tensor.shape} "
                    f"and {tensor.data.dtype}"
                )
        return problems


def _named(net: Module) -> Iterator[tuple[str, Tensor]]:
    if not isinstance(net, Module):
        raise TypeError(f"WeightAverage: net must be an nn.Module, got {type(net).__name__}")
    yield from net.named_parameters()
    yield from net.named_buffers()
