"""Tools to property-test layers: ours, and everyone's.

`gradcheck` holds gradients against differences, `check_layer` a whole layer against all that is
asked of one, on the CPU or `on_device`. `lockstep` runs two rungs, or devices, side by side.
`strategies` draw the cases for tests of your own, `laws` say what to assert. `hunt` breaks the
engine in every way of `mutants`, to see whether tests notice.
"""

from minigrad.testing import laws, mutants, strategies
from minigrad.testing.gradients import gradcheck
from minigrad.testing.hunting import HuntReport, hunt
from minigrad.testing.layers import LayerError, LayerReport, check_layer
from minigrad.testing.lockstep import LockstepError, lockstep
from minigrad.testing.place import on_device
from minigrad.testing.report import GradcheckError, GradcheckReport

__all__ = [
    "GradcheckError",
    "GradcheckReport",
    "HuntReport",
    "LayerError",
    "LayerReport",
    "LockstepError",
    "check_layer",
    "gradcheck",
    "hunt",
    "laws",
    "lockstep",
    "mutants",
    "on_device",
    "strategies",
]
