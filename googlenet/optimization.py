"""From a recipe to what moves the weights: groups of parameters, optimiser, schedule, average.

What the hyperparameters are called in `Recipe` and in `minigrad.optim`, and what they count in, is
translated here and nowhere else.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from googlenet.finetuning import is_classifier
from googlenet.recipes import Recipe
from minigrad import nn, optim

BIAS = ".bias"
MOST_STEPS = 1e15  # of a training: where floats still count by ones


def groups(net: nn.Module, recipe: Recipe) -> list[dict[str, Any]]:
    """Sort the parameters that are trained into groups of one rate and one decay each.

    Biases may have others than weights (`bias_lr`, `bias_weight_decay`), and all but the
    classifiers another rate (`backbone_lr`). The group that trains at the recipe's own rate comes
    first: its rate is the one that is shown. Frozen parameters are in no group.

    Returns
    -------
    list of dict
        For an optimiser; one group where nothing differs.
    """
    members: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in net.named_parameters():
        if not parameter.requires_grad:
            continue
        rate, decay = recipe.lr, recipe.weight_decay
        if name.endswith(BIAS):
            rate, decay = rate * recipe.bias_lr, decay * recipe.bias_weight_decay
        if not is_classifier(name):
            rate *= recipe.backbone_lr
        members.setdefault((rate, decay), []).append(parameter)
    if not members:
        raise ValueError("freeze leaves no parameter to be trained")
    own = (recipe.lr, recipe.weight_decay)
    ordered = sorted(members.items(), key=lambda item: item[0] != own)
    return [{"params": ps, "lr": rate, "weight_decay": decay} for (rate, decay), ps in ordered]


def optimizer_for(recipe: Recipe, parameters: Sequence[Any]) -> optim.Optimizer:
    """Make the recipe's optimiser.

    Parameters
    ----------
    recipe : Recipe
    parameters : sequence of Parameter, or of groups
    """
    shared: dict[str, Any] = {"lr": recipe.lr, "weight_decay": recipe.weight_decay}
    betas = (recipe.betas[0], recipe.betas[1])
    match recipe.optimizer:
        case "sgd":
            return optim.SGD(
                parameters, momentum=recipe.momentum, nesterov=recipe.nesterov, **shared
            )
        case "adam":
            return optim.Adam(parameters, betas=betas, eps=recipe.eps, **shared)
        case "adamw":
            return optim.AdamW(parameters, betas=betas, eps=recipe.eps, **shared)
        case "rmsprop":
            return optim.RMSprop(
                parameters, alpha=recipe.alpha, eps=recipe.eps, momentum=recipe.momentum, **shared
            )
    return optim.Adadelta(parameters, rho=recipe.rho, eps=recipe.eps, **shared)


def schedule_for(recipe: Recipe, optimizer: optim.Optimizer, per_epoch: int) -> optim.Schedule:
    """Make the recipe's schedule, in steps of the optimiser.

    Parameters
    ----------
    recipe : Recipe
    optimizer : Optimizer
    per_epoch : int
        Steps in an epoch.

    Raises
    ------
    ValueError
        If the schedule does not fit into so many steps.
    """
    unit = per_epoch if recipe.schedule_unit == "epochs" else 1
    for name in ("warmup_epochs", "schedule_length", "step_size"):
        _check_countable(name, getattr(recipe, name) * per_epoch)
    total, warmup = recipe.epochs * per_epoch, recipe.warmup_steps(per_epoch)
    length = round(recipe.schedule_length * unit) or total
    match recipe.schedule:
        case "cosine":
            return optim.CosineLR(optimizer, length, warmup, recipe.floor)
        case "poly":
            return optim.PolyLR(optimizer, length, recipe.power, warmup)
        case "exponential":
            return optim.ExponentialLR(optimizer, recipe.gamma ** (1 / unit), warmup)
        case "multistep":
            milestones = _milestones(recipe.milestones, unit)
            return optim.MultiStepLR(optimizer, milestones, recipe.gamma, warmup)
        case "step":
            size = float(recipe.step_size * unit)
            if size.is_integer() and not recipe.step_offset:
                return optim.StepLR(optimizer, int(size), recipe.gamma, warmup)
            if size < 1:  # several falls in a step
                falling = _Falling(size, recipe.step_offset * unit, recipe.gamma)
                return optim.LambdaLR(optimizer, falling, warmup)
            falls = [warmup + fall for fall in _falls(size, recipe.step_offset * unit, total)]
            return optim.MultiStepLR(optimizer, falls, recipe.gamma, warmup)
    return optim.LambdaLR(optimizer, _constant, warmup)


@dataclass(frozen=True)
class _Falling:
    """The factor after t steps: gamma ^ ⌊(t + offset) / size⌋."""

    size: float
    offset: float
    gamma: float

    def __call__(self, t: int) -> float:
        return self.gamma ** math.floor(min((t + self.offset) / self.size, MOST_STEPS))


def _check_countable(name: str, steps: float) -> None:
    if steps > MOST_STEPS:
        raise ValueError(f"{name} must be less than {MOST_STEPS:.0e} steps, got {steps:g}")


def _milestones(given: Sequence[float], unit: int) -> list[int]:
    """Return the steps of milestones; two cannot fall into one, where it would fall once."""
    _check_countable("milestones", max(given) * unit)
    steps = [max(1, round(each * unit)) for each in given]
    if len(set(steps)) < len(steps):
        raise ValueError(
            f"milestones must be at least a step apart, but {', '.join(map(repr, given))} are the "
            f"steps {', '.join(map(str, steps))}: there are {unit} in a unit of the schedule"
        )
    return steps


def _falls(size: float, offset: float, total: int) -> list[int]:
    """List the t at which ⌊(t + offset) / size⌋ grows, t being steps since the warm-up.

    Where that is between two steps, the nearer one.
    """
    numbers = range(1, int((total + offset) // size) + 1)
    return sorted({max(1, round(number * size - offset)) for number in numbers})


def _constant(step: int) -> float:
    return 1.0


def average_for(recipe: Recipe, net: nn.Module, per_epoch: int) -> optim.WeightAverage | None:
    """Make the average of the weights that the recipe asks for, if any."""
    if recipe.average == "none":
        return None
    start = int(recipe.average_start * recipe.epochs * per_epoch)
    decay = recipe.average_decay if recipe.average == "ema" else None
    return optim.WeightAverage(net, decay, start)


def rates(recipe: Recipe, per_epoch: int, steps: Sequence[int]) -> list[float]:
    """Return the learning rate at some steps of a training, 0 the first, without a network.

    Examples
    --------
    >>> from googlenet.recipes import RECIPES
    >>> caffe = RECIPES["caffe"].recipe
    >>> [f"{rate:.4g}" for rate in rates(caffe, 40_036, [0, 319_999, 320_000, 640_000])]
    ['0.01', '0.01', '0.0096', '0.009216']
    """
    alone = nn.Parameter(np.zeros(1, np.float32))
    schedule = schedule_for(recipe, optimizer_for(recipe, [alone]), per_epoch)
    return [recipe.lr * schedule.at(step) for step in steps]
