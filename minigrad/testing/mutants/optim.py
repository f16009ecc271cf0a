"""Mistakes in optimisers and schedules: the arithmetic of a step, and which step it is."""
# A mistake takes what it breaks, and its docstring tells a story.
# mypy: allow-untyped-defs, no-check-untyped-defs
# ruff: noqa: D401

import numpy as np

from minigrad.optim import CosineLR, Optimizer, Schedule, updates
from minigrad.testing.mutants.mutant import at, mutant

# -- SGD -----------------------------------------------------------------------------------------


@mutant("sgd", at(updates, "sgd"))
def sgd_momentum_reversed(sound, data, gradient, velocity, lr, momentum, *rest):
    """Momentum is the share that is lost instead of the share that stays."""
    sound(data, gradient, velocity, lr, 1 - momentum if momentum else 0.0, *rest)


@mutant("sgd", at(updates, "sgd"))
def sgd_dampened(sound, data, gradient, velocity, lr, momentum, *rest):
    """V ← momentum·v + (1 − momentum)·g, a running mean: steps a tenth as long as others'."""
    one = data.dtype.type
    sound(data, gradient * one(1 - momentum), velocity, lr, momentum, *rest)


@mutant("sgd", at(updates, "sgd"))
def sgd_rate_inside_the_velocity(sound, data, gradient, velocity, lr, momentum, decay, nesterov):
    """V ← momentum·v + lr·g: the same until the rate changes, then the past keeps the old rate."""
    if not lr:
        return
    one = data.dtype.type
    scaled = velocity / one(lr)
    sound(data, gradient, scaled, lr, momentum, decay, nesterov)
    velocity[...] = scaled * one(lr)


@mutant("sgd", at(updates, "sgd"))
def sgd_weight_decay_dropped(sound, data, gradient, velocity, lr, momentum, decay, nesterov):
    """Weight decay is taken and forgotten."""
    sound(data, gradient, velocity, lr, momentum, 0.0, nesterov)


@mutant("sgd", at(updates, "sgd"))
def sgd_weight_growth(sound, data, gradient, velocity, lr, momentum, decay, nesterov):
    """Weight decay has the wrong sign: it pushes weights away from zero."""
    sound(data, gradient, velocity, lr, momentum, -decay, nesterov)


@mutant("sgd", at(updates, "sgd"))
def sgd_nesterov_ignored(sound, *arguments):
    """Nesterov's look ahead is taken and forgotten."""
    sound(*arguments[:-1], False)


@mutant("sgd", at(updates, "sgd"))
def sgd_nesterov_always(sound, *arguments):
    """Momentum always looks ahead."""
    sound(*arguments[:-1], True)


@mutant("sgd", at(updates, "sgd"))
def sgd_last_number_left_out(sound, data, *rest):
    """The last number of a parameter is never moved: a loop that ends one too early."""
    last = data[(-1,) * data.ndim].copy()
    sound(data, *rest)
    data[(-1,) * data.ndim] = last


# -- Adam ----------------------------------------------------------------------------------------


@mutant("adam", at(updates, "adam"))
def adam_without_bias_correction(sound, data, gradient, mean, square, step, *rest):
    """Means that begin at zero are taken as they are: the first steps are too short."""
    sound(data, gradient, mean, square, 10**9, *rest)


@mutant("adam", at(updates, "adam"))
def adam_bias_corrected_as_if_first(sound, data, gradient, mean, square, step, *rest):
    """The step is never counted on: every one is corrected like the first."""
    sound(data, gradient, mean, square, 1, *rest)


@mutant("adam", at(updates, "adam"))
def adam_betas_exchanged(sound, *arguments):
    """β₁ and β₂ go to each other's place."""
    *rest, betas, eps, decay = arguments
    sound(*rest, betas[::-1], eps, decay)


def _adam_again(data, gradient, mean, square, step, lr, betas, decay, divisor):
    """Do Adam's formulas once more, with another divisor."""
    (beta1, beta2), slope = betas, gradient + decay * data
    mean[...] = beta1 * mean + (1 - beta1) * slope
    square[...] = beta2 * square + (1 - beta2) * slope**2
    corrected = mean / (1 - beta1**step), square / (1 - beta2**step)
    data -= (lr * corrected[0] / divisor(corrected[1])).astype(data.dtype)


@mutant("adam", at(updates, "adam"))
def adam_eps_inside_the_root(sound, data, gradient, mean, square, step, lr, betas, eps, decay):
    """Divides by √(v̂ + ε) instead of √v̂ + ε."""
    arrays = data, gradient, mean, square
    _adam_again(*arrays, step, lr, betas, decay, lambda v: np.sqrt(v + eps))


@mutant("adam", at(updates, "adam"))
def adam_without_the_root(sound, data, gradient, mean, square, step, lr, betas, eps, decay):
    """Divides by v̂ + ε: steps are not scaled by the size of the gradient but by its square."""
    arrays = data, gradient, mean, square
    _adam_again(*arrays, step, lr, betas, decay, lambda v: v + eps)


@mutant("adam", at(updates, "adam"))
def adam_weight_decay_dropped(sound, *arguments):
    """Weight decay is taken and forgotten."""
    sound(*arguments[:-1], 0.0)


@mutant("adam", at(updates, "adam"))
def adam_weight_decay_decoupled(sound, *arguments):
    """Weights decay by themselves, as in AdamW, and not through the gradient."""
    *rest, decay = arguments
    data, lr = rest[0], rest[5]
    data *= data.dtype.type(1 - lr * decay)
    sound(*rest, 0.0)


# -- all optimisers ------------------------------------------------------------------------------


@mutant("optimizer", at(Optimizer, "step"))
def optimizer_first_groups_options(sound, optimizer):
    """All groups move with the options of the first."""
    first, kept = optimizer.groups[0], optimizer.groups
    optimizer.groups = [{**first, "params": group["params"]} for group in kept]
    sound(optimizer)
    optimizer.groups = kept


@mutant("optimizer", at(Optimizer, "step"))
def optimizer_state_by_shape(sound, optimizer):
    """Velocities are kept by shape: two layers of one shape share theirs."""
    for group in optimizer.groups:
        for parameter in group["params"]:
            if parameter.grad is not None:
                state = optimizer.state.setdefault(parameter.shape, {})
                optimizer.update(parameter.data, parameter.grad.data, state, group)


@mutant("optimizer", at(Optimizer, "zero_grad"))
def optimizer_forgets_the_first_group_only(sound, optimizer):
    """zero_grad ends after the first group."""
    for parameter in optimizer.groups[0]["params"]:
        parameter.grad = None


@mutant("optimizer", at(Optimizer, "step"))
def optimizer_decays_what_has_no_gradient(sound, optimizer):
    """A parameter without a gradient moves as if its gradient were zero: frozen layers decay."""
    frozen = [p for g in optimizer.groups for p in g["params"] if p.grad is None]
    for parameter in frozen:
        parameter.grad = parameter.new(np.zeros_like(parameter.data))
    sound(optimizer)
    for parameter in frozen:
        parameter.grad = None


@mutant("optimizer", at(updates, "sgd"))
def optimizer_moves_a_copy(sound, data, *rest):
    """Parameters are made contiguous first: those that lie transposed are copied, and stay."""
    sound(np.ascontiguousarray(data), *rest)


# -- schedules -----------------------------------------------------------------------------------


@mutant("schedules", at(CosineLR, "factor"))
def schedules_cosine_one_step_late(sound, schedule, step):
    """The cosine begins one step late, and never reaches its floor."""
    return sound(schedule, max(step - 1, 0))


@mutant("schedules", at(CosineLR, "factor"))
def schedules_cosine_counts_the_warmup(sound, schedule, step):
    """The cosine runs from the first step on, so that the warm-up eats its highest part."""
    return sound(schedule, step + schedule.warmup)


@mutant("schedules", at(CosineLR, "factor"))
def schedules_floor_ignored(sound, schedule, step):
    """The rate goes down to zero, whatever floor was asked for."""
    if schedule.floor == 1:
        return 1.0
    return (sound(schedule, step) - schedule.floor) / (1 - schedule.floor)


@mutant("schedules", at(Schedule, "_set"))
def schedules_compound(sound, schedule):
    """Every factor is applied to the rate of the step before, not to the one at the start."""
    schedule.base_rates = [group["lr"] for group in schedule.optimizer.groups]
    sound(schedule)


@mutant("schedules", at(Schedule, "_set"))
def schedules_warmup_begins_at_zero(sound, schedule):
    """The first step of the warm-up has rate 0 and teaches nothing."""
    schedule.steps_done -= 1
    sound(schedule)
    schedule.steps_done += 1


@mutant("schedules", at(Schedule, "_set"))
def schedules_one_rate_for_all_groups(sound, schedule):
    """All groups get the rate of the first: biases lose their own."""
    sound(schedule)
    for group in schedule.optimizer.groups:
        group["lr"] = schedule.optimizer.groups[0]["lr"]
