"""`gradcheck`: holds the gradients of a function against what the function itself does.

How a gradient check goes wrong is known, and decides how this one is made:

* A cotangent of all ones (differentiating the *sum* of the outputs) cannot see that softmax's
  gradient is zero: that sum is constant. So cotangents are random, and all ones are refused.
* A check that looks at one number, or always at the same one, misses the others. Directions move
  all numbers at once, and where the input is small every entry of the Jacobian is compared.
* Where a function has a kink its slope from the left is not that from the right, and the
  difference of two values is neither. Such outputs are found by comparing the two slopes. They are
  listed apart, and their gradient must lie between the two.
* A step has a best size: too large and the curve shows, too small and rounding does. A failure
  shows the error for all sizes. A right gradient has its smallest error in the middle, a wrong one
  the same error everywhere.
* Differences are good for 8 or 9 digits. Where f is analytic a step along the imaginary axis
  gives the slope to 15, and the gradient is held to that as well.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from minigrad.autograd import Array
from minigrad.testing.diagnosis import diagnose
from minigrad.testing.report import (
    Failure,
    GradcheckError,
    GradcheckReport,
    InputReport,
    Kink,
)
from minigrad.testing.subject import Subject

FULL_JACOBIAN = 48  # inputs with no more numbers than this, and as many outputs, are checked whole
EXACT = 1e-9  # how far a gradient may be from the complex step, relative to what was summed
PROBES = 0x677261  # makes the stream of random directions another than that of the seed alone
FINER = 8.0  # a second, smaller step tells a kink from a curve


def gradcheck(
    f: Callable[..., Any],
    inputs: Sequence[Any],
    *,
    seed: int = 0,
    directions: int = 2,
    eps: float = 1e-6,
    rtol: float = 1e-6,
    cotangent: ArrayLike | None = None,
    jacobian: bool | None = None,
    complex_step: bool = True,
    names: Sequence[str] | None = None,
    raise_error: bool = True,
) -> GradcheckReport:
    """Check the gradients of `f` in float64, along random directions, and entry by entry if small.

    Parameters
    ----------
    f : callable
        Takes a Tensor for each input; returns a Tensor or a tuple of Tensors. The same inputs must
        give the same result.
    inputs : sequence of arrays, Tensors or numbers
        Where to check. Arrays of integers or booleans are constants, handed over as they are.
        If there is a Tensor on a GPU all is done there, else on the device of `on_device`.
    seed : int
        Of the random cotangents and directions.
    directions : int
        How many cotangents to try, each with a direction for every input.
    eps : float
        Half the distance between the two points compared, times the size of the input.
    rtol : float
        How far analytic and numeric slope may differ, relative to the sum of the sizes of what was
        summed to get them.
    cotangent : array, optional
        One number for each output, instead of random ones. All ones, or one number everywhere, are
        refused: what they check is the sum of the outputs.
    jacobian : bool, optional
        Whether to compare every entry of the Jacobian. Left out: where input and output have at
        most 48 numbers.
    complex_step : bool
        Whether to try the complex step too. It is used where it works.
    names : sequence of str, optional
        What to call the inputs. Left out: the names of f's parameters.
    raise_error : bool
        Raise if a gradient is wrong, or only report it.

    Returns
    -------
    GradcheckReport
        True if every gradient is right. Prints as text, shows as HTML in a notebook, and draws
        itself with `plot`.

    Raises
    ------
    GradcheckError
        An AssertionError: names the input, its wrong entries, both values, the error for each
        step, and what the pattern looks like if it is a known one. Its `report` has it all.
    TypeError, ValueError
        If something other than a gradient is wrong: an argument, or an f that changes its inputs,
        gives another result the second time, or numbers that are not finite or not float64.

    References
    ----------
    Squire and Trapp, "Using complex variables to estimate derivatives of real functions", 1998.

    Examples
    --------
    >>> import numpy as np
    >>> from minigrad.testing import gradcheck
    >>> report = gradcheck(lambda x, y: x * y.exp(), [np.ones((2, 3)), np.zeros(3)])
    >>> report.ok
    True
    """
    subject = Subject(f, inputs, names)
    values = _values_of(subject, eps, rtol)
    given = None if cotangent is None else _given(cotangent, values.size)
    # Not default_rng(seed) itself: the inputs are often drawn from it, and a cotangent equal to an
    # input makes sums of products symmetric, which hides a kernel that was turned round.
    rng = np.random.default_rng((seed, PROBES))
    checks = {i: _Check(subject, i, values, eps, rtol, complex_step) for i in subject.checked}
    if values.size:
        for _ in range(max(directions, 1)):
            row = rng.standard_normal(values.size) if given is None else given
            with subject.graph() as pull_back:
                for check in checks.values():
                    check.along(rng.standard_normal(check.shape), row, pull_back)
        with subject.graph() as pull_back:
            for check in checks.values():
                if jacobian or (jacobian is None and max(check.size, values.size) <= FULL_JACOBIAN):
                    check.entry_by_entry(pull_back)
    for check in checks.values():
        if check.failure is not None:
            diagnose(subject, check.failure)
    report = GradcheckReport(
        [check.report for check in checks.values()], values.size, _differentiable(checks)
    )
    if raise_error and not report.ok:
        raise GradcheckError(report)
    return report


class _Check:
    """The check of one input: probes it, and keeps what it saw.

    Attributes
    ----------
    report : InputReport
    failure : Failure or None
        The first one. After it nothing more is probed.
    """

    def __init__(
        self, subject: Subject, i: int, values: Array, eps: float, rtol: float, complex_step: bool
    ) -> None:
        array = subject.arrays[i]
        self.subject, self.i, self.values, self.rtol = subject, i, values, rtol
        self.shape, self.size = array.shape, array.size
        self.step = eps * max(1.0, float(np.abs(array).max(initial=0)))
        self.try_complex = complex_step
        self.report = InputReport(subject.names[i], array.shape)
        self.last = np.zeros(0), np.zeros(0)  # a cotangent and its gradient

    @property
    def failure(self) -> Failure | None:
        return self.report.failure

    def along(self, direction: Array, cotangent: Array, pull_back: Any) -> None:
        """Compare ⟨gradient, direction⟩ with the slope of ⟨cotangent, f⟩ along the direction."""
        if self.failure is not None or not self.size:
            return
        left, right, kinked = self._slopes(direction)
        row = np.where(kinked, 0.0, cotangent)
        self.report.directions += 1
        self._compare(direction, row, (left + right) / 2, self.rtol, pull_back, "differences")
        if kinked.any():
            self._between(direction, np.where(kinked, cotangent, 0.0), left, right, pull_back)
        if self.try_complex and self.failure is None:
            slope = self._complex_slope(direction, (left + right) / 2, kinked)
            if slope is None:
                self.try_complex = False
            else:
                self.report.complex_step = True
                self._compare(direction, row, slope, EXACT, pull_back, "the complex step")

    def entry_by_entry(self, pull_back: Any) -> None:
        """Compare every entry of the Jacobian, (outputs, numbers of the input)."""
        if self.failure is not None or not self.size:
            return
        outputs, units = self.values.size, np.eye(self.size).reshape(self.size, *self.shape)
        analytic = np.stack([self._gradient(row, pull_back).ravel() for row in np.eye(outputs)])
        sides = [self._slopes(unit) for unit in units]
        left, right, kinked = (np.stack(parts, axis=1) for parts in zip(*sides, strict=True))
        low, high = np.minimum(left, right), np.maximum(left, right)
        middle = (left + right) / 2
        scale = np.abs(analytic) + np.abs(middle) + self._rounded()[:, np.newaxis]
        # At a kink, anything between the two slopes; elsewhere the slope itself.
        off = np.where(
            kinked, np.maximum(low - analytic, analytic - high), np.abs(analytic - middle)
        )
        self.report.jacobian = True
        self._note(float((np.maximum(off, 0) / scale).max()))
        wrong = ~(off <= 4 * self.rtol * scale)
        if wrong.any():
            j, k = (int(n) for n in np.argwhere(wrong)[0])
            row = np.zeros(outputs)
            row[j] = 1.0
            self.report.failure = Failure(
                self.i, self.report.name, "differences, entry by entry", row, units[k], self.step,
                float(analytic[j, k]), float(middle[j, k]),
            )  # fmt: skip

    # -- inside ------------------------------------------------------------------------------

    def _slopes(self, direction: Array) -> tuple[Array, Array, Array]:
        """Give the slopes of all outputs to the left and to the right, and which have a kink."""
        ahead = self.subject.values(self.i, self.step * direction)
        behind = self.subject.values(self.i, -self.step * direction)
        right, left = (ahead - self.values) / self.step, (self.values - behind) / self.step
        gap = np.abs(right - left)
        size = np.abs(right + left).max(initial=0) / 2
        suspicious = gap > self.rtol * (size + np.abs(self.values))
        if not suspicious.any():
            return left, right, suspicious
        # Where f is smooth an eighth of the step leaves an eighth of the gap; at a kink all of it
        # stays, or if the kink is near but not here, nothing. Where f jumps, or rounds, it grows.
        step = self.step / FINER
        ahead = self.subject.values(self.i, step * direction)
        behind = self.subject.values(self.i, -step * direction)
        finer = np.abs(ahead + behind - 2 * self.values) / step
        kept = finer / np.where(gap > 0, gap, 1)
        smooth = (kept > 0.5 / FINER) & (kept < 2 / FINER)
        kinked = suspicious & ~smooth & (kept < 2)
        # A curve as strong as this bends differences too, by step²: two steps tell how much.
        middle, closer = (left + right) / 2, (ahead - behind) / (2 * step)
        straight = closer + (closer - middle) / (FINER**2 - 1)
        left, right = (np.where(suspicious & smooth, straight, side) for side in (left, right))
        for j in np.flatnonzero(kinked):
            where = self.subject.output_index(int(j))
            self.report.kinks.setdefault(int(j), Kink(where, float(left[j]), float(right[j])))
        return left, right, kinked

    def _complex_slope(self, direction: Array, differences: Array, kinked: Array) -> Array | None:
        """Give the slopes by a complex step, or None where f does not take one."""
        try:
            slope = self.subject.complex_slope(self.i, direction)
        except Exception:  # comparing, ordering, a kernel without complex numbers: whatever it is
            return None
        # Not analytic if it disagrees with the differences (|x| of a complex x, say).
        scale = np.abs(differences).max(initial=0) + self._rounded()
        agrees = np.abs(slope - differences) <= 100 * self.rtol * scale
        return slope if (agrees | kinked).all() else None

    def _gradient(self, cotangent: Array, pull_back: Any) -> Array:
        if cotangent is not self.last[0]:  # the same row is held against two methods
            gradient = pull_back(cotangent)[self.i]
            self.report.connected |= gradient is not None
            self.last = cotangent, np.zeros(self.shape) if gradient is None else gradient
        return self.last[1]

    def _rounded(self) -> Array:
        """Say how large the numbers are that rounding acts on, output by output."""
        return np.abs(self.values) + 0.01

    def _compare(
        self, direction: Array, row: Array, slopes: Array, rtol: float, pull_back: Any, method: str
    ) -> None:
        products = self._gradient(row, pull_back) * direction
        analytic, numeric = float(products.sum()), float((row * slopes).sum())
        scale = float(np.abs(products).sum() + (np.abs(row) * self._rounded()).sum()) + 1e-12
        off = abs(analytic - numeric)
        self._note(off / scale)
        if not off <= rtol * scale < np.inf and self.failure is None:
            self.report.failure = Failure(
                self.i, self.report.name, method, row, direction, self.step, analytic, numeric
            )

    def _between(
        self, direction: Array, row: Array, left: Array, right: Array, pull_back: Any
    ) -> None:
        """At kinks: the gradient must lie between what the slopes to both sides would give."""
        analytic = float((self._gradient(row, pull_back) * direction).sum())
        low = float(np.minimum(row * left, row * right).sum())
        high = float(np.maximum(row * left, row * right).sum())
        slack = self.rtol * (abs(low) + abs(high) + float((np.abs(row) * self._rounded()).sum()))
        if not low - slack <= analytic <= high + slack and self.failure is None:
            self.report.failure = Failure(
                self.i, self.report.name, "the slopes to both sides of a kink", row, direction,
                self.step, analytic, low if analytic < low else high,
            )  # fmt: skip

    def _note(self, relative: float) -> None:
        self.report.error = max(self.report.error, relative)


def _values_of(subject: Subject, eps: float, rtol: float) -> Array:
    """Compute f, and refuse what cannot be checked."""
    for argument, number in (("eps", eps), ("rtol", rtol)):
        if not 0 < number < 1:
            raise ValueError(f"gradcheck: {argument} must lie between 0 and 1, got {number!r}")
    if not subject.checked:
        raise ValueError("gradcheck: inputs holds no floating array, so there is no gradient")
    values = subject.values()
    others = subject.output_dtypes - {np.dtype(np.float64)}
    if others:
        raise ValueError(
            f"gradcheck: f gives {', '.join(str(d) for d in others)} for inputs of float64. "
            "Differences need float64: look for a cast, or a constant array of another dtype"
        )
    if not np.isfinite(values).all():
        j = int(np.flatnonzero(~np.isfinite(values))[0])
        raise ValueError(
            f"gradcheck: f is not finite here: output {subject.output_index(j)} is {values[j]}"
        )
    if not np.array_equal(values, subject.values()):
        raise ValueError(
            "gradcheck: f gave another result for the same inputs. Random numbers need a fixed "
            "key or seed, and a layer must not remember earlier calls"
        )
    return values


def _given(cotangent: ArrayLike, size: int) -> Array:
    row = np.array(cotangent, np.float64).ravel()
    if row.size != size:
        raise ValueError(
            f"gradcheck: cotangent must have one number for each of the {size} outputs, got "
            f"{row.size}"
        )
    if size > 1 and (row == row[0]).all():
        raise ValueError(
            f"gradcheck: cotangent must not be {row[0]:g} everywhere: that checks the gradient of "
            "the sum of all outputs, which is zero for softmax and others whatever their backward "
            "does. Leave it out, or draw random numbers"
        )
    return row


def _differentiable(checks: dict[int, _Check]) -> bool:
    """Tell whether anything could be checked apart from kinks."""
    return any(
        not c.size or not c.values.size or len(c.report.kinks) < c.values.size
        for c in checks.values()
    )
