"""Optimisers, and schedules for their learning rates."""

from minigrad.optim.adadelta import Adadelta
from minigrad.optim.adam import Adam, AdamW
from minigrad.optim.optimizers import Optimizer
from minigrad.optim.rmsprop import RMSprop
from minigrad.optim.schedules import CosineLR, Schedule
from minigrad.optim.sgd import SGD

__all__ = ["SGD", "Adadelta", "Adam", "AdamW", "CosineLR", "Optimizer", "RMSprop", "Schedule"]
