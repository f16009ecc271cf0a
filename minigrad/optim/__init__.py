"""Optimisers, and schedules for their learning rates."""

from minigrad.optim.optimizers import SGD, Adam, Optimizer
from minigrad.optim.scaler import GradScaler
from minigrad.optim.schedules import CosineLR, Schedule

__all__ = ["SGD", "Adam", "CosineLR", "GradScaler", "Optimizer", "Schedule"]
