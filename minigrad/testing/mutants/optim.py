"""Mistakes in optimisers: the arithmetic of a step, and what is remembered."""
# A mistake takes what it breaks, and its docstring tells a story.
# mypy: allow-untyped-defs, no-check-untyped-defs
# ruff: noqa: D401

from contextlib import nullcontext
from functools import wraps

import numpy as np

from minigrad.cpu.layout import flat
from minigrad.optim import Optimizer, state, updates
from minigrad.testing.mutants.mutant import Patch, Place, at, mutant


def in_step(name: str) -> Place:
    """Plant a mistake in a formula, which is then done at once and not together with others.

    So that a mistake may also come after the sound formula.
    """

    def one_by_one(sound):
        return wraps(sound)(lambda: nullcontext())

    return lambda mistake: [*at(updates, name)(mistake), Patch(updates, "together", one_by_one)]


# -- SGD -----------------------------------------------------------------------------------------


@mutant("sgd", in_step("sgd"))
def sgd_momentum_reversed(sound, data, gradient, velocity, lr, momentum, *rest):
    """Momentum is the share that is lost instead of the share that stays."""
    sound(data, gradient, velocity, lr, 1 - momentum if momentum else 0.0, *rest)


@mutant("sgd", in_step("sgd"))
def sgd_dampened(sound, data, gradient, velocity, lr, momentum, *rest):
    """V ← momentum·v + (1 − momentum)·g, a running mean: steps a tenth as long as others'."""
    one = data.dtype.type
    sound(data, gradient * one(1 - momentum), velocity, lr, momentum, *rest)


@mutant("sgd", in_step("sgd"))
def sgd_rate_inside_the_velocity(sound, data, gradient, velocity, lr, momentum, decay, nesterov):
    """V ← momentum·v + lr·g: the same until the rate changes, then the past keeps the old rate."""
    if not lr:
        return
    one = data.dtype.type
    scaled = velocity / one(lr)
    sound(data, gradient, scaled, lr, momentum, decay, nesterov)
    velocity[...] = scaled * one(lr)


@mutant("sgd", in_step("sgd"))
def sgd_weight_decay_dropped(sound, data, gradient, velocity, lr, momentum, decay, nesterov):
    """Weight decay is taken and forgotten."""
    sound(data, gradient, velocity, lr, momentum, 0.0, nesterov)


@mutant("sgd", in_step("sgd"))
def sgd_weight_growth(sound, data, gradient, velocity, lr, momentum, decay, nesterov):
    """Weight decay has the wrong sign: it pushes weights away from zero."""
    sound(data, gradient, velocity, lr, momentum, -decay, nesterov)


@mutant("sgd", in_step("sgd"))
def sgd_nesterov_ignored(sound, *arguments):
    """Nesterov's look ahead is taken and forgotten."""
    sound(*arguments[:-1], False)


@mutant("sgd", in_step("sgd"))
def sgd_nesterov_always(sound, *arguments):
    """Momentum always looks ahead."""
    sound(*arguments[:-1], True)


@mutant("sgd", in_step("sgd"))
def sgd_last_number_left_out(sound, data, *rest):
    """The last number of a parameter is never moved: a loop that ends one too early."""
    last = data[(-1,) * data.ndim].copy()
    sound(data, *rest)
    data[(-1,) * data.ndim] = last


# -- Adam ----------------------------------------------------------------------------------------


@mutant("adam", in_step("adam"))
def adam_without_bias_correction(sound, data, gradient, mean, square, step, *rest):
    """Means that begin at zero are taken as they are: the first steps are too short."""
    sound(data, gradient, mean, square, 10**9, *rest)


@mutant("adam", in_step("adam"))
def adam_bias_corrected_as_if_first(sound, data, gradient, mean, square, step, *rest):
    """The step is never counted on: every one is corrected like the first."""
    sound(data, gradient, mean, square, 1, *rest)


@mutant("adam", in_step("adam"))
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


@mutant("adam", in_step("adam"))
def adam_eps_inside_the_root(sound, data, gradient, mean, square, step, lr, betas, eps, decay):
    """Divides by √(v̂ + ε) instead of √v̂ + ε."""
    arrays = data, gradient, mean, square
    _adam_again(*arrays, step, lr, betas, decay, lambda v: np.sqrt(v + eps))


@mutant("adam", in_step("adam"))
def adam_without_the_root(sound, data, gradient, mean, square, step, lr, betas, eps, decay):
    """Divides by v̂ + ε: steps are not scaled by the size of the gradient but by its square."""
    arrays = data, gradient, mean, square
    _adam_again(*arrays, step, lr, betas, decay, lambda v: v + eps)


@mutant("adam", in_step("adam"))
def adam_weight_decay_dropped(sound, *arguments):
    """Weight decay is taken and forgotten."""
    sound(*arguments[:-1], 0.0)


@mutant("adam", in_step("adam"))
def adam_weight_decay_decoupled(sound, *arguments):
    """Weights decay by themselves, as in AdamW, and not through the gradient."""
    *rest, decay = arguments
    data, lr = rest[0], rest[5]
    data *= data.dtype.type(1 - lr * decay)
    sound(*rest, 0.0)


# -- AdamW ---------------------------------------------------------------------------------------


@mutant("adamw", in_step("adamw"), historical=True)
def adamw_decay_coupled(sound, *arguments):
    """Weights decay through the gradient, as in Adam: for years all engines had only that."""
    updates.adam(*arguments)


@mutant("adamw", in_step("adamw"))
def adamw_decay_without_the_rate(sound, *arguments):
    """Weights shrink by the decay itself at every step, whatever the learning rate."""
    *rest, decay = arguments
    rest[0][...] *= rest[0].dtype.type(1 - decay)
    sound(*rest, 0.0)


@mutant("adamw", in_step("adamw"))
def adamw_decay_dropped(sound, *arguments):
    """Weight decay is taken and forgotten."""
    sound(*arguments[:-1], 0.0)


@mutant("adamw", in_step("adamw"))
def adamw_decays_what_has_moved(sound, data, gradient, mean, square, step, lr, betas, eps, decay):
    """The step comes first and what it leads to decays: a little of the step is taken back."""
    sound(data, gradient, mean, square, step, lr, betas, eps, 0.0)
    updates.adamw(data, 0 * gradient, 0 * mean, square.copy(), step, lr, betas, eps, decay)


# -- RMSprop -------------------------------------------------------------------------------------


def _rmsprop_again(data, gradient, square, mean, velocity, lr, alpha, eps, decay, momentum, divide):
    """Do RMSprop's formulas once more, with another quotient of the gradient and s (or s − m²)."""
    slope = gradient + decay * data
    square[...] = alpha * square + (1 - alpha) * slope**2
    size = square
    if mean is not None:
        mean[...] = alpha * mean + (1 - alpha) * slope
        size = square - mean**2
    change = divide(slope, size)
    if velocity is not None:
        velocity[...] = change = momentum * velocity + change
    data -= (lr * change).astype(data.dtype)


@mutant("rmsprop", in_step("rmsprop"), historical=True)
def rmsprop_eps_inside_the_root(
    sound, data, gradient, square, mean, velocity, lr, alpha, eps, *rest
):
    """Divides by √(s + ε) instead of √s + ε: one engine's convention taken for another's."""
    arrays = data, gradient, square, mean, velocity
    _rmsprop_again(*arrays, lr, alpha, eps, *rest, lambda slope, s: slope / np.sqrt(s + eps))


@mutant("rmsprop", in_step("rmsprop"))
def rmsprop_without_the_root(sound, data, gradient, square, mean, velocity, lr, alpha, eps, *rest):
    """Divides by the mean square: small gradients make the largest steps."""
    arrays = data, gradient, square, mean, velocity
    _rmsprop_again(*arrays, lr, alpha, eps, *rest, lambda slope, s: slope / (s + eps))


@mutant("rmsprop", in_step("rmsprop"))
def rmsprop_alpha_reversed(sound, data, gradient, square, mean, velocity, lr, alpha, *rest):
    """Alpha is the share that is new instead of the share that stays."""
    sound(data, gradient, square, mean, velocity, lr, 1 - alpha, *rest)


@mutant("rmsprop", in_step("rmsprop"))
def rmsprop_never_centered(sound, data, gradient, square, mean, *rest):
    """The mean is not subtracted, although that was asked for."""
    sound(data, gradient, square, None, *rest)


@mutant("rmsprop", in_step("rmsprop"))
def rmsprop_momentum_forgotten(sound, data, gradient, square, mean, velocity, *rest):
    """Momentum is taken and forgotten."""
    sound(data, gradient, square, mean, None, *rest)


@mutant("rmsprop", in_step("rmsprop"), historical=True)
def rmsprop_rate_inside_the_velocity(sound, data, gradient, square, mean, velocity, lr, *rest):
    """V ← momentum·v + lr·d: the same until the rate changes, then the past keeps the old rate."""
    if velocity is None or not lr:
        sound(data, gradient, square, mean, velocity, lr, *rest)
        return
    one = data.dtype.type
    scaled = velocity / one(lr)
    sound(data, gradient, square, mean, scaled, lr, *rest)
    velocity[...] = scaled * one(lr)


@mutant("rmsprop", in_step("rmsprop"))
def rmsprop_weight_decay_dropped(sound, *arguments):
    """Weight decay is taken and forgotten."""
    *rest, decay, momentum = arguments
    sound(*rest, 0.0, momentum)


# -- Adadelta ------------------------------------------------------------------------------------


@mutant("adadelta", in_step("adadelta"))
def adadelta_rate_forgotten(sound, data, gradient, square, moved, lr, *rest):
    """The paper has no learning rate, and this has none either, although one was given."""
    sound(data, gradient, square, moved, 1.0, *rest)


@mutant("adadelta", in_step("adadelta"))
def adadelta_remembers_steps_with_their_rate(sound, data, gradient, square, moved, lr, rho, *rest):
    """What is remembered is lr·d and not d, so that steps shrink more and more."""
    before = data.copy()
    kept = moved.copy()
    sound(data, gradient, square, moved, lr, rho, *rest)
    moved[...] = rho * kept + (1 - rho) * (data - before) ** 2


@mutant("adadelta", in_step("adadelta"))
def adadelta_remembers_gradients(sound, data, gradient, square, moved, *rest):
    """U gathers g² as s does: both roots are the same, and their quotient 1."""
    sound(data, gradient, square, moved, *rest)
    moved[...] = square


def _adadelta_again(data, gradient, square, moved, lr, rho, weight_decay, quotient):
    """Do Adadelta's formulas once more, with another quotient of u and s."""
    slope = gradient + weight_decay * data
    square[...] = rho * square + (1 - rho) * slope**2
    change = quotient(moved, square) * slope
    moved[...] = rho * moved + (1 - rho) * change**2
    data -= (lr * change).astype(data.dtype)


@mutant("adadelta", in_step("adadelta"))
def adadelta_upside_down(sound, data, gradient, square, moved, lr, rho, eps, weight_decay):
    """The root of s stands above that of u: the larger a gradient, the larger its own factor."""
    numbers = lr, rho, weight_decay
    _adadelta_again(
        data, gradient, square, moved, *numbers, lambda u, s: np.sqrt((s + eps) / (u + eps))
    )


@mutant("adadelta", in_step("adadelta"))
def adadelta_eps_outside_the_roots(
    sound, data, gradient, square, moved, lr, rho, eps, weight_decay
):
    """(√u + ε) / (√s + ε) instead of √(u + ε) / √(s + ε): the first steps are far too short."""
    numbers = lr, rho, weight_decay
    _adadelta_again(
        data, gradient, square, moved, *numbers,
        lambda u, s: (np.sqrt(u) + eps) / (np.sqrt(s) + eps),
    )  # fmt: skip


@mutant("adadelta", in_step("adadelta"))
def adadelta_weight_decay_dropped(sound, *arguments):
    """Weight decay is taken and forgotten."""
    sound(*arguments[:-1], 0.0)


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


@mutant("optimizer", in_step("sgd"))
def optimizer_moves_a_copy(sound, data, *rest):
    """Parameters are made contiguous first: those that lie transposed are copied, and stay."""
    sound(np.ascontiguousarray(data), *rest)


@mutant("optimizer", at(updates, "_rows"), historical=True)
def optimizer_walks_through_each_array_in_its_own_order(sound, arrays):
    """Arrays are walked through as they lie in memory: where they lie otherwise than the parameter,
    numbers meet that do not belong together. It happened here, with states that had been loaded.
    """
    return [flat(array) for array in arrays], []


# -- state that is kept --------------------------------------------------------------------------


@mutant("optimizer", at(state, "copied"))
def optimizer_shares_what_it_loads(sound, groups, given):
    """Arrays are taken up and not copied: two optimisers change each other's memory."""
    memory = sound(groups, given)
    parameters = [parameter for group in groups for parameter in group["params"]]
    for name, array in given["arrays"].items():
        number, key = name.split(".", 1)
        memory[parameters[int(number)]][key] = array
    return memory


@mutant("optimizer", at(state, "copied"))
def optimizer_counts_anew_after_loading(sound, groups, given):
    """The number of the step is not taken up: Adam corrects the bias of its means once more."""
    memory = sound(groups, given)
    for remembered in memory.values():
        remembered.pop("step", None)
    return memory


@mutant("optimizer", at(state, "_numbered"))
def optimizer_numbers_each_group_from_0(sound, groups):
    """Parameters are numbered within their group: the second group's state replaces the first's."""
    return iter([pair for group in groups for pair in enumerate(group["params"])])


@mutant("optimizer", at(Optimizer, "load_state_dict"))
def optimizer_keeps_its_own_options(sound, optimizer, given):
    """Only arrays are taken up: the run goes on with the rate that the program began with."""
    kept = [dict(group) for group in optimizer.groups]
    sound(optimizer, given)
    for group, before in zip(optimizer.groups, kept, strict=True):
        group.update(before)
