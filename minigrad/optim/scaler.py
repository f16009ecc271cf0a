"""Loss scaling: so that small gradients survive in float16."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from minigrad import device
from minigrad.optim.optimizers import Optimizer
from minigrad.tensor import Tensor


class GradScaler:
    """Multiplies the loss, so that its gradients do not vanish in 16 bits, and divides them again.

    float16 has no numbers below 6e-8, and gradients of images often are smaller. Backward is
    linear: ``scale · loss`` has gradients `scale` times as large all the way. Before the optimiser
    uses them they are divided by the same factor, as float32. What is the right factor, nobody
    knows beforehand, so it is tried: where a gradient overflows, the step is left out and the
    factor halved; after `growth_interval` steps without, it is doubled.

    float32 and bfloat16 have exponents enough and need none of it (``enabled=False``).

    Parameters
    ----------
    init_scale : float
        The factor at first.
    growth_factor, backoff_factor : float
        What the factor is multiplied by: after a while without overflow (above 1), and after one
        (between 0 and 1). Powers of two change no digit.
    growth_interval : int
        How many steps without overflow make the factor grow.
    enabled : bool
        If not, everything goes through unchanged.

    References
    ----------
    Micikevicius et al., "Mixed precision training", 2018. The names are PyTorch's.

    Examples
    --------
    >>> import minigrad
    >>> from minigrad import nn, optim
    >>> layer = nn.Linear(2, 1)
    >>> optimizer, scaler = optim.SGD(layer.parameters(), lr=0.1), optim.GradScaler(1024)
    >>> loss = layer(minigrad.tensor([[1.0, 2.0]]).astype("float16")).astype("float32").sum()
    >>> scaler.scale(loss).backward()
    >>> scaler.step(optimizer)
    True
    >>> scaler.update()
    """

    def __init__(
        self,
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        ranges = {
            "init_scale": (init_scale, 0 < init_scale < float("inf"), "above 0"),
            "growth_factor": (growth_factor, 1 < growth_factor < float("inf"), "above 1"),
            "backoff_factor": (backoff_factor, 0 < backoff_factor < 1, "between 0 and 1"),
            "growth_interval": (growth_interval, growth_interval >= 1, "of at least 1"),
        }
        for name, (value, right, wanted) in ranges.items():
            if not right:
                raise ValueError(f"GradScaler: {name} must be a number {wanted}, got {value!r}")
        self.factor = float(init_scale)
        self.growth_factor, self.backoff_factor = growth_factor, backoff_factor
        self.growth_interval, self.enabled = growth_interval, enabled
        self.steps = 0  # since the factor changed
        self._factors: dict[str, Tensor] = {}  # the factor, on each device that asked for it
        self._overflowed = False
        self._unscaled: set[int] = set()  # optimisers whose gradients are divided already

    def get_scale(self) -> float:
        """Return the factor of the next loss."""
        return self.factor if self.enabled else 1.0

    def scale(self, loss: Tensor) -> Tensor:
        """Return the loss times the factor, as float32 at least."""
        if not self.enabled:
            return loss
        if loss.device not in self._factors:
            # An array that is written to, so that a recorded step finds what the factor is now.
            array = np.full((), self.factor, np.float32)
            self._factors[loss.device] = Tensor(device.put_like(array, loss.data))
        return loss * self._factors[loss.device]

    def unscale_(self, optimizer: Optimizer) -> None:
        """Divide the gradients by the factor, in place: to clip them before `step`."""
        if not self.enabled or id(optimizer) in self._unscaled:
            return
        self._unscaled.add(id(optimizer))
        largest: Any = None
        for group in optimizer.groups:
            for parameter in group["params"]:
                if parameter.grad is None or not parameter.size:
                    continue
                gradient = parameter.grad.data
                gradient *= gradient.dtype.type(1 / self.factor)
                most = np.abs(gradient).max()
                largest = most if largest is None else np.maximum(largest, most)
        # One number for all gradients, NaN if any is: a GPU is waited for once.
        self._overflowed |= largest is not None and not float(largest) < float("inf")

    def step(self, optimizer: Optimizer) -> bool:
        """Divide the gradients, if that is still to be done, and step, unless one overflowed.

        Returns
        -------
        bool
            Whether the parameters were changed.
        """
        self.unscale_(optimizer)
        if self._overflowed:
            return False
        optimizer.step()
        return True

    def update(self) -> None:
        """Choose the factor of the next step, once all optimisers have stepped."""
        if not self.enabled:
            return
        self._unscaled.clear()
        if self._overflowed:
            self._change(self.factor * self.backoff_factor)
            self._overflowed = False
            return
        self.steps += 1
        if self.steps == self.growth_interval:
            self._change(self.factor * self.growth_factor)

    def state_dict(self) -> dict[str, float | int]:
        """Return what is needed to go on later: the factor, and the steps since it changed."""
        return {"scale": self.factor, "steps": self.steps}

    def load_state_dict(self, state: Mapping[str, float | int]) -> None:
        """Take up a state again.

        Raises
        ------
        ValueError
            If it is none of a scaler's.
        """
        factor, steps = state.get("scale"), state.get("steps")
        right = isinstance(factor, int | float) and 0 < factor < float("inf")
        if set(state) != {"scale", "steps"} or not right or type(steps) is not int or steps < 0:
            raise ValueError(
                "GradScaler: the state must hold a scale above 0 and steps of at least 0, "
                f"got {dict(state)}"
            )
        self._change(float(factor))  # type: ignore[arg-type]
        self.steps = steps

    def _change(self, factor: float) -> None:
        self.factor, self.steps = factor, 0
        for array in self._factors.values():
            array.data.fill(factor)
