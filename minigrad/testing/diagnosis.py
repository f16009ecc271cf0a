"""What a wrong gradient looks like: known mistakes, told by the pattern they leave.

A wrong gradient is compared with the right one, which differences give entry by entry. Each hint
is a function that looks for one pattern and says in a sentence what usually causes it, or None.
They know numbers only, not the operation; what they say is where to look, not a proof.
"""

from collections.abc import Callable
from itertools import combinations, permutations, product

import numpy as np

from minigrad.autograd import Array
from minigrad.testing.evidence import Evidence
from minigrad.testing.report import Failure
from minigrad.testing.subject import Subject, index_of

MOST_HINTS = 2
STEPS = [10.0**-k for k in range(1, 12)]


def diagnose(subject: Subject, failure: Failure) -> None:
    """Fill in what a failure is to show: the entries, the error for each step, the hints."""
    evidence = Evidence(subject, failure)
    failure.gradient, failure.expected = evidence.got, evidence.want
    failure.wrong = evidence.wrong
    failure.errors = [(step, evidence.error(step)) for step in STEPS]
    if not evidence.wrong.any():
        failure.hints += filter(None, [float32(evidence)])
        return
    plain = next(filter(None, (hint(evidence) for hint in PLAIN)), None)
    failure.hints += (
        [plain] if plain else [h for h in (hint(evidence) for hint in STRUCTURAL) if h][:MOST_HINTS]
    )


# -- the hints, the plainest first ---------------------------------------------------------------


def not_finite(e: Evidence) -> str | None:
    """Infinite, or no numbers at all."""
    if np.isfinite(e.got).all():
        return None
    return (
        "backward gives numbers that are not finite: a division by zero or an overflow; run it "
        "inside minigrad.detect_anomaly() to see in which operation"
    )


def rough(e: Evidence) -> str | None:
    """Find that the error is small for large steps and grows as they shrink."""
    coarse, fine = e.error(1e-3), e.error(1e-9)
    if not (fine > 100 * coarse and fine > 1e-3 * abs(e.failure.analytic)):
        return None
    return (
        "the error grows as the step shrinks: f itself is not smooth on a small scale. It computes "
        "in float32 somewhere, or jumps here"
    )


def nothing_arrives(e: Evidence) -> str | None:
    """All zeros."""
    if (np.abs(e.got) > 0).any():
        return None
    return (
        "backward gives zero everywhere: the gradient is dropped, or what should carry it was "
        "computed outside the graph (detach, .data, no_grad)"
    )


def constant_factor(e: Evidence) -> str | None:
    """Every entry the same number of times what it should be."""
    known = np.isfinite(e.want)
    got, want = e.got[known], e.want[known]
    if not (np.abs(got) > 0).any() or not (np.abs(want) > e.close).any():
        return None
    factor = float((got * want).sum() / (want * want).sum())
    if not e.equal(got, factor * want):
        return None
    if abs(factor + 1) < 1e-4:
        return "every entry has the wrong sign: a minus is missing, or one too many"
    for number, reasons in _numbers_around(e).items():
        said = "; ".join(reasons)
        if abs(factor - number) < 1e-4 * number:
            return f"every entry is {number} times too large: is a 1/{number} missing? ({said})"
        if abs(factor * number - 1) < 1e-4:
            return f"every entry is {number} times too small: is a factor missing? ({said})"
    return f"every entry is {factor:.6g} times what it should be: a missing or doubled factor"


def _numbers_around(e: Evidence) -> dict[int, list[str]]:
    """List the whole numbers that a factor could come from, and what they are."""
    numbers: dict[int, list[str]] = {2: ["the derivative of a square has it"]}
    outs = [("the output", shape) for shape in e.subject.output_shapes]
    ins = [(name, a.shape) for name, a in zip(e.subject.names, e.subject.arrays, strict=True)]
    for what, shape in outs + ins:
        lengths = [(n, f"axis {a} of {what} has that length") for a, n in enumerate(shape)]
        for n, said in [*lengths, (int(np.prod(shape)), f"{what} has so many numbers")]:
            if n > 1:
                numbers.setdefault(n, []).append(said)
    return numbers


def turned(e: Evidence) -> str | None:
    """Right numbers, in reverse along some axes."""
    if not e.whole:
        return None
    axes = [a for a in range(e.want.ndim) if e.want.shape[a] > 1]
    for count in range(1, len(axes) + 1):
        for some in combinations(axes, count):
            if e.equal(e.got, np.flip(e.want, some)):
                return (
                    f"the numbers are right but in reverse along {_axes(some, e.want.ndim)}: a "
                    "kernel turned round that should not be, or not turned where it should be"
                )
    return None


def swapped(e: Evidence) -> str | None:
    """Right numbers, under exchanged axes."""
    if not e.whole or e.want.ndim < 2 or e.want.ndim > 5:
        return None
    for order in permutations(range(e.want.ndim)):
        if order == tuple(range(e.want.ndim)):
            continue
        moved = e.want.transpose(order)
        if e.equal(e.got, moved):
            return f"the numbers are right but the axes are exchanged: transposed as {order}"
        if e.equal(e.got.ravel(), moved.ravel()):
            return (
                "the numbers are right but were laid out anew: a reshape where a transpose "
                f"(as {order}) is needed before it"
            )
    return None


def elsewhere(e: Evidence) -> str | None:
    """Right numbers, in any other order."""
    if not e.whole or np.unique(e.want.round(9)).size < 3:
        return None
    if not e.equal(np.sort(e.got, axis=None), np.sort(e.want, axis=None)):
        return None
    for axis, n in enumerate(e.want.shape):
        for shift in range(1, n):
            if e.equal(e.got, np.roll(e.want, shift, axis)):
                along = _axes((axis,), e.want.ndim)
                return f"the numbers are right but {shift} places further along {along}"
    return "the numbers are right but in other places: an index or a permutation is wrong"


def one_example(e: Evidence) -> str | None:
    """Give what one example contributes, instead of the sum over the batch."""
    shapes = e.subject.output_shapes
    if not e.whole or any(not shape or shape[0] != shapes[0][0] for shape in shapes):
        return None
    batch = shapes[0][0]
    if not 2 <= batch <= 16:
        return None
    starts = np.cumsum([0, *(int(np.prod(shape)) for shape in shapes)])
    for n in (0, batch - 1):
        row = np.zeros_like(e.failure.cotangent)
        for start, shape in zip(starts, shapes, strict=False):
            size = int(np.prod(shape[1:]))
            part = slice(start + n * size, start + (n + 1) * size)
            row[part] = e.failure.cotangent[part]
        alone = e.differences(row)
        if (np.abs(alone) > e.close).any() and e.equal(e.got, alone):
            which = "first" if n == 0 else "last"
            return (
                f"it is what the {which} of {batch} examples alone contributes: the sum over the "
                "batch is missing (assigned where it should be added)"
            )
    return None


def not_linear(e: Evidence) -> str | None:
    """Try whether the gradient of a sum is the sum of the gradients."""
    third = e.failure.cotangent / 3 * (1 + np.arange(e.failure.cotangent.size) % 2)
    parts = e.backward(third) + e.backward(e.failure.cotangent - third)
    if e.equal(parts, e.got):
        return None
    return (
        "backward is not linear: cut the outputs' gradient in two, and what comes back for the "
        "parts does not add up to what comes back for the whole. It looks at the gradient's "
        "values, or keeps something from the call before"
    )


def transposed_factor(e: Evidence) -> str | None:
    """Take, in the Jacobian, an axis of the output for one of the input, or turn both round."""
    if e.jacobians is None or len(e.subject.output_shapes) != 1:
        return None
    out, into = e.subject.output_shapes[0], e.got.shape
    if len(out) + len(into) > 8:
        return None
    ours, theirs = (j.reshape((*out, *into)) for j in e.jacobians)

    def same(other: Array) -> bool:
        return np.allclose(ours, other, rtol=1e-5, atol=1e-7 * np.abs(theirs).max())

    if same(theirs):
        return None
    pairs = [
        (a, len(out) + b)
        for a, b in product(range(len(out)), range(len(into)))
        if out[a] == into[b] > 1
    ]
    for count in (1, 2):
        for some in combinations(pairs, count):
            moved = theirs
            for a, b in some:
                moved = moved.swapaxes(a, b)
            if same(moved):
                return (
                    "every output has the right gradient of another: a factor is transposed that "
                    "should not be, or not transposed where it should be"
                )
    spatial = range(1, 1 + min(2, len(out), len(into)))
    turned_round = tuple(len(out) - n for n in spatial), tuple(ours.ndim - n for n in spatial)
    moved = np.flip(theirs, turned_round[0] + turned_round[1])
    if same(moved):
        return "the weights of each output come in reverse: backward has a kernel turned round"
    return None


def missing_links(e: Evidence) -> str | None:
    """Find outputs that depend on numbers of the input of which backward knows nothing."""
    if e.jacobians is None:
        return None
    ours, theirs = e.jacobians
    size = float(np.abs(theirs).max(initial=0))
    there = np.abs(theirs) > 1e-6 * size
    missing, extra = there & (ours == 0), ~there & (np.abs(ours) > 1e-6 * size)
    for links, says in (
        (missing, "backward misses a term: the output depends also on the input {where}"),
        (
            extra,
            "backward has a term too many: it sends gradients to the input {where}, which the "
            "output does not depend on",
        ),
    ):
        if not links.any() or (links is missing and not ours.any()):
            continue
        where = _differing_axes(e, links)
        if where is None:
            continue
        j, k = (int(n) for n in np.argwhere(links)[0])
        index = index_of(k, e.got.shape)
        return says.format(where=where) + (
            f". For example output {e.subject.output_index(j)} by {e.failure.name} {index}: "
            f"backward {ours[j, k]:.4g}, differences {theirs[j, k]:.4g}"
        )
    return None


def same_everywhere(e: Evidence) -> str | None:
    """Along some axes one place's error is another's: what is missing is a sum over them."""
    off = e.got - e.want
    if not e.whole or not (np.abs(off) > e.close).any():
        return None
    axes = [a for a in range(off.ndim) if off.shape[a] > 1]
    for count in range(len(axes), 0, -1):
        for some in combinations(axes, count):
            if e.equal(off, np.broadcast_to(off.mean(some, keepdims=True), off.shape)):
                return (
                    f"the error is the same everywhere along {_axes(some, e.want.ndim)}: a term "
                    "that is a sum or mean over them is missing, or there twice"
                )
    return None


def some_places(e: Evidence) -> str | None:
    """Wrong at the border only, in one slice only, or where the input has one sign."""
    if not e.whole or not e.wrong.any() or e.wrong.all():
        return None
    x = e.subject.arrays[e.i]
    for mask, said in ((x < 0, "negative"), (x > 0, "positive"), (x == 0, "zero")):
        if mask.sum() > 1 and np.array_equal(mask, e.wrong):
            return f"it is wrong just where {e.failure.name} is {said}"
    for axis, n in enumerate(e.wrong.shape):
        places = np.flatnonzero(np.moveaxis(e.wrong, axis, 0).reshape(n, -1).any(axis=1))
        if n > 1 and len(places) == 1:
            last = ", the last" if places[0] == n - 1 else ""
            return f"it is wrong only at {places[0]}{last} along {_axes((axis,), e.want.ndim)}"
    spatial = [a for a in range(max(e.wrong.ndim - 2, 0), e.wrong.ndim) if e.wrong.shape[a] > 2]
    if spatial:
        inner = tuple(slice(1, -1) if a in spatial else slice(None) for a in range(e.wrong.ndim))
        if not e.wrong[inner].any():
            along = _axes(spatial, e.want.ndim)
            return f"it is wrong only at the border of {along}: look at the padding"
    return None


def float32(e: Evidence) -> str | None:
    """Off by about what float32 rounds away."""
    relative = abs(e.failure.analytic - e.failure.numeric) / (abs(e.failure.numeric) + 1e-300)
    if 1e-11 < relative < 1e-5:
        return "it is off by as little as float32 rounds: a float32 constant or cast inside?"
    return None


# If one of these fits, it says all there is to say.
PLAIN: list[Callable[[Evidence], str | None]] = [
    not_finite,
    rough,
    nothing_arrives,
    constant_factor,
    turned,
    swapped,
    elsewhere,
    one_example,
    transposed_factor,
    same_everywhere,
]
# These say where to look.
STRUCTURAL: list[Callable[[Evidence], str | None]] = [not_linear, missing_links, some_places]


def _differing_axes(e: Evidence, links: Array) -> str | None:
    """Say along which axes outputs and inputs that are linked differ, if they share axes at all."""
    if len(e.subject.output_shapes) != 1 or e.subject.output_shapes[0] != e.got.shape:
        return "at other places"
    shape = e.got.shape
    if not shape:
        return "at its own place"
    pairs = np.argwhere(links)
    outs, ins = (np.stack(np.unravel_index(pairs[:, n], shape)) for n in (0, 1))
    differ = tuple(int(a) for a in np.flatnonzero((outs != ins).any(axis=1)))
    if not differ:
        return "at its own place"
    return f"at other places along {_axes(differ, e.got.ndim)}"


def _axes(axes: tuple[int, ...] | list[int], ndim: int = 0) -> str:
    """Name axes by number, and those of images by letter too."""
    names = ", ".join(f"{a} ({'NCHW'[a]} of NCHW)" if ndim == 4 else str(a) for a in axes)
    return f"axis {names}" if len(axes) == 1 else f"axes {names}"
