"""Checks for differentiable functions: ours, and those that users write."""

from minigrad.testing.gradients import gradcheck

__all__ = ["gradcheck"]
