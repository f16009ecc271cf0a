"""Tools to property-test layers: ours, and everyone's."""

from minigrad.testing.gradients import gradcheck
from minigrad.testing.report import GradcheckError, GradcheckReport

__all__ = ["GradcheckError", "GradcheckReport", "gradcheck"]
