"""Exercises of lesson 11: an operation with a backward of one's own, and a test of one's own."""

import numpy as np

import minigrad
from minigrad import functional as F
from minigrad.testing import check_layer, hunt, mutants
from minigrad.testing.hunting import HuntError

__all__ = ["silu_is_a_good_layer", "the_test_kills_what_breaks_relu"]

NUMBERS = np.array([[-2.0, -0.5, 0.0], [0.5, 1.0, 3.0]])


def silu_is_a_good_layer(answer) -> None:
    """Hold an operation against the definition of SiLU, and against all that a layer owes.

    Parameters
    ----------
    answer : function
        Takes a Tensor, gives x·σ(x).

    Raises
    ------
    AssertionError
    """
    out = answer(minigrad.tensor(NUMBERS))
    assert isinstance(out, minigrad.Tensor), f"a layer gives a Tensor, yours {type(out).__name__}"
    want = NUMBERS / (1 + np.exp(-NUMBERS))
    assert np.allclose(out.data, want, rtol=1e-6), (
        f"for x =\n{NUMBERS}\nx·σ(x) is\n{want}\nand yours\n{out.data}"
    )
    report = check_layer(answer, (2, 3), raise_error=False)
    if report.ok:
        return
    first = report.failures[0]
    said = "\n".join(str(first).splitlines()[1:6])
    hints = {
        "input_gradients": "Both factors depend on x, and the gradient that came multiplies all",
        "inputs_unchanged": "x belongs to someone else: make a new array",
        "dtypes": "float64 is to stay float64",
    }
    hint = hints.get(first.key, "")
    raise AssertionError(f"the numbers are right, but not this: {first.sentence}. {hint}\n{said}")


def the_test_kills_what_breaks_relu(answer) -> None:
    """Hunt mutants of ReLU with the reader's test: all must be noticed, and no sound ReLU blamed.

    Parameters
    ----------
    answer : function
        Takes a ReLU, a function of a Tensor; raises AssertionError if something is wrong with it.

    Raises
    ------
    AssertionError
    """
    try:
        report = hunt(lambda: answer(F.relu), mutants.of_operation("relu"))
    except HuntError as error:
        if isinstance(error.__cause__, NotImplementedError):
            raise error.__cause__ from None
        raise AssertionError(
            f"your test blames a ReLU that is right: {str(error.__cause__) or 'no message'}"
        ) from None
    survivors = report.survived
    if survivors:
        stories = "".join(f"\n  {v.mutant.name}: {v.mutant.story}" for v in survivors)
        raise AssertionError(f"{report.summary}. Your test does not notice{stories}")
