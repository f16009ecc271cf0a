"""Mistakes in schedules: which step it is, and which rate."""
# A mistake takes what it breaks, and its docstring tells a story.
# mypy: allow-untyped-defs, no-check-untyped-defs
# ruff: noqa: D401

from minigrad.optim import (
    CosineLR,
    ExponentialLR,
    MultiStepLR,
    OneCycleLR,
    PolyLR,
    Schedule,
    StepLR,
)
from minigrad.testing.mutants.mutant import at, mutant

# -- all schedules -------------------------------------------------------------------------------


@mutant("schedules", at(Schedule, "_since_warmup"))
def schedules_begin_before_the_warmup(sound, schedule, step):
    """Schedules count from the first step of the warm-up, which eats their beginning."""
    return step


@mutant("schedules", at(Schedule, "load_state_dict"))
def schedules_load_and_do_not_set(sound, schedule, given):
    """The step is taken up and the rate left as it is: the first step after that has another."""
    rates = [group["lr"] for group in schedule.optimizer.groups]
    sound(schedule, given)
    for group, rate in zip(schedule.optimizer.groups, rates, strict=True):
        group["lr"] = rate


@mutant("schedules", at(Schedule, "load_state_dict"))
def schedules_take_the_rate_of_the_moment_for_the_first(sound, schedule, given):
    """A schedule that goes on after a break takes the fallen rate for the one to fall from."""
    own = schedule.base_rates
    sound(schedule, given)
    schedule.base_rates = own
    schedule._set()


# -- one by one ----------------------------------------------------------------------------------


@mutant("schedules", at(StepLR, "factor"))
def schedules_step_one_late(sound, schedule, t):
    """The rate falls after step_size + 1 steps, and then every step_size."""
    return sound(schedule, max(t - 1, 0))


@mutant("schedules", at(MultiStepLR, "factor"))
def schedules_milestones_count_from_the_warmup(sound, schedule, t):
    """Milestones are counted from the end of the warm-up, and not from the first step."""
    return sound(schedule, t - schedule.warmup)


@mutant("schedules", at(MultiStepLR, "factor"))
def schedules_milestones_one_late(sound, schedule, t):
    """The rate falls one step after the milestone."""
    return sound(schedule, t - 1)


@mutant("schedules", at(ExponentialLR, "factor"))
def schedules_exponential_falls_at_once(sound, schedule, t):
    """The first step has the rate of the second."""
    return sound(schedule, t + 1)


@mutant("schedules", at(PolyLR, "factor"))
def schedules_poly_of_what_is_done(sound, schedule, t):
    """1 − (t / T)ᵖ instead of (1 − t / T)ᵖ: the same for a power of 1."""
    length = schedule.total_steps - schedule.warmup
    return 1 - (min(t, length) / length) ** schedule.power


@mutant("schedules", at(PolyLR, "factor"))
def schedules_poly_turns_at_its_end(sound, schedule, t):
    """Past the last step the rate climbs again."""
    length = schedule.total_steps - schedule.warmup
    return abs(1 - t / length) ** schedule.power


@mutant("schedules", at(OneCycleLR, "momentum"))
def schedules_one_cycle_momentum_with_the_rate(sound, schedule, t):
    """Momentum is high where the rate is high."""
    return schedule.base_momentum + schedule.max_momentum - sound(schedule, t)


@mutant("schedules", at(OneCycleLR, "_place"))
def schedules_one_cycle_without_its_peak(sound, schedule, t):
    """Phases are counted one step late."""
    return sound(schedule, max(t - 1, 0))


# -- the cosine ----------------------------------------------------------------------------------


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
