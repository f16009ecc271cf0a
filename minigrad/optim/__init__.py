"""Optimisers, schedules of their rates, groups, clipping, averages of weights and gradients."""

from minigrad.optim.accumulation import GradientAccumulator
from minigrad.optim.adadelta import Adadelta
from minigrad.optim.adam import Adam, AdamW
from minigrad.optim.averaging import WeightAverage
from minigrad.optim.clipping import clip_grad_norm_, clip_grad_value_
from minigrad.optim.groups import groups_by_name
from minigrad.optim.one_cycle import OneCycleLR
from minigrad.optim.optimizers import Optimizer
from minigrad.optim.rmsprop import RMSprop
from minigrad.optim.scaler import GradScaler
from minigrad.optim.schedules import (
    CosineLR,
    ExponentialLR,
    LambdaLR,
    MultiStepLR,
    PolyLR,
    Schedule,
    StepLR,
)
from minigrad.optim.sgd import SGD

__all__ = [
    "SGD",
    "Adadelta",
    "Adam",
    "AdamW",
    "CosineLR",
    "ExponentialLR",
    "GradScaler",
    "GradientAccumulator",
    "LambdaLR",
    "MultiStepLR",
    "OneCycleLR",
    "Optimizer",
    "PolyLR",
    "RMSprop",
    "Schedule",
    "StepLR",
    "WeightAverage",
    "clip_grad_norm_",
    "clip_grad_value_",
    "groups_by_name",
]
