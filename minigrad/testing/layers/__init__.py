"""`check_layer`: everything a layer owes its user, asked in one line.

A layer can compute the right numbers and still be wrong: write into its input, forget `eval`, mix
the examples of a batch, keep a statistic that `state_dict` does not know. Each such property is
examined by hypothesis on inputs it draws, independently of the others, and what fails is shrunk
and shown.
"""

from collections.abc import Collection, Sequence
from typing import Any

from hypothesis import settings

from minigrad import device as devices
from minigrad.device import RUNGS
from minigrad.testing.layers import numerics, properties
from minigrad.testing.layers.inputs import as_strategy
from minigrad.testing.layers.layer import Layer
from minigrad.testing.layers.property import Examiner, Property
from minigrad.testing.layers.report import LayerError, LayerFailure, LayerReport, PropertyResult
from minigrad.testing.place import on_device

__all__ = [
    "PROPERTIES",
    "LayerError",
    "LayerFailure",
    "LayerReport",
    "PropertyResult",
    "check_layer",
]

PROPERTIES = (
    Property(
        "runs",
        "forward and backward run, in training and in eval",
        properties.runs,
        compares=False,
        needs=(),
    ),
    Property(
        "input_gradients",
        "gradients of the inputs agree with differences in float64",
        numerics.input_gradients,
        share=0.5,
        needs=("runs", "inputs_unchanged", "parameters_unchanged", "dtypes"),
    ),
    Property(
        "parameter_gradients",
        "gradients of the parameters agree with differences in float64",
        numerics.parameter_gradients,
        share=0.5,
        needs=("runs", "inputs_unchanged", "parameters_unchanged", "dtypes"),
    ),
    Property(
        "connected",
        "every parameter gets a gradient",
        numerics.connected,
        compares=False,
        conclude=numerics.all_connected,
    ),
    Property(
        "inputs_unchanged",
        "neither forward nor backward writes into what it is given",
        properties.inputs_unchanged,
        compares=False,
    ),
    Property(
        "parameters_unchanged",
        "neither forward nor backward writes into a parameter",
        properties.parameters_unchanged,
        compares=False,
    ),
    Property(
        "deterministic",
        "the same inputs and seed give the same bits again",
        properties.deterministic,
        compares=False,
        needs=("runs", "parameters_unchanged"),
    ),
    Property(
        "eval",
        "train() and eval() reach inside; eval draws and changes nothing",
        properties.evaluation,
        needs=("runs", "parameters_unchanged"),
    ),
    Property(
        "batch",
        "in eval, no example depends on the others in its batch",
        properties.batch,
        needs=("runs", "eval"),
    ),
    Property(
        "empty_batch",
        "a batch of no examples goes through, or is refused in a sentence",
        properties.empty_batch,
        compares=False,
    ),
    Property(
        "dtypes",
        "float32 stays float32, and float64 is computed in float64",
        numerics.dtypes,
        needs=("runs", "inputs_unchanged", "parameters_unchanged"),
    ),
    Property(
        "memory",
        "the numbers do not depend on how the inputs lie in memory",
        properties.memory,
    ),
    Property(
        "rungs",
        "all rungs of the kernels give the same numbers",
        properties.rungs,
        share=0.5,
    ),
    Property(
        "threads",
        "any number of threads gives the same bits",
        properties.threads,
        share=0.5,
    ),
    Property(
        "no_grad",
        "inside no_grad nothing is recorded, and the numbers are the same",
        properties.no_grad_,
    ),
    Property(
        "state_dict",
        "state_dict carries all state over, also through a file",
        properties.state_dict,
        needs=("runs", "deterministic"),
        share=0.5,
    ),
    Property(
        "repr",
        "its repr names the class and holds no address",
        properties.repr_,
        compares=False,
        needs=(),
        share=0.0,
    ),
)
BY_KEY = {property_.key: property_ for property_ in PROPERTIES}
FEWEST = 10  # examples of each property


def check_layer(
    layer: Any,
    inputs: Any,
    *,
    skip: Sequence[str] = (),
    max_examples: int | None = None,
    seed: int = 0,
    rungs: Sequence[str] | None = None,
    threads: Sequence[int] = (1, 2, 3),
    raise_error: bool = True,
) -> LayerReport:
    """Property-test a layer: its gradients, and all else that a layer owes its user.

    What a layer is meant to compute is not known here: one that pads on the wrong side, and
    differentiates that rightly, holds. Compare its numbers with a definition as well.

    Everything runs on copies. The layer's parameters, buffers, gradients and mode, the number of
    threads and all streams of random numbers are afterwards what they were; only what a function
    closes over is out of reach. The copies' parameters are moved away from their first values
    (times ½ … 1½; zeros become small numbers), since weights of 1 and biases of 0 hide mistakes.

    Parameters
    ----------
    layer : Module or callable
        A function takes and returns Tensors; it has no modes and no parameters. A Module whose
        parameters lie on a GPU is checked there, all else on the device of `on_device`.
    inputs : strategy, array, shape, or a tuple of these
        What it is called with: a hypothesis strategy that draws an array or a tuple of arrays, an
        array, a shape (for normal numbers), or a tuple with one of these for each argument.
        Floating arrays are cast to the dtype that is tested. Integer arrays are handed over as
        they are: labels, indices. Axis 0 counts the examples of a batch.
    skip : sequence of str
        Properties to leave out, by the names in the checklist.
    max_examples : int, optional
        How many examples each property gets (slow ones fewer). Left out, 10, or a tenth of those
        of hypothesis's active profile if that is more.
    seed : int
        Of what is drawn: the same seed gives the same examples.
    rungs : sequence of str, optional
        What to compare: rungs (``"naive"`` takes long for large inputs) or devices, with the first.
        Left out, all rungs; for a Module on a GPU, ``"naive"`` and that GPU.
    threads : sequence of int
        Which numbers of threads to compare. Only inputs that fill several tasks use several.
    raise_error : bool
        Raise if a property fails, or only report it.

    Returns
    -------
    LayerReport
        True if no property fails. Prints as a checklist, and shows as HTML in a notebook.

    Raises
    ------
    LayerError
        An AssertionError: the checklist and the first failure in full. Its `report` has all.
    TypeError, ValueError
        If an argument is not what it must be.

    Notes
    -----
    Inside another property test hypothesis wants to be told that this is meant:
    ``@settings(suppress_health_check=[HealthCheck.nested_given])`` on the outer one.

    Examples
    --------
    >>> from minigrad import functional, nn
    >>> from minigrad.testing.layers import check_layer
    >>> check_layer(nn.ReLU(), (2, 3)).ok
    True
    >>> class Noise(nn.Module):
    ...     def forward(self, x):
    ...         return functional.dropout(x, 0.5)
    >>> report = check_layer(Noise(), (2, 2), raise_error=False)
    >>> print(report["eval"].failure)
    ✗ eval, in eval
        at [0, 0] the output with other random numbers is 0.0 but at first is 0.25... (2 of 4 ...)
        Falsifying input: x = array([[ 0.1257302210933933 , -0.1321048632913019 ],
               [ 0.6404226504432821 ,  0.10490011715303971]])
    """
    _check_arguments(skip, max_examples, seed, RUNGS if rungs is None else rungs, threads)
    subject = Layer(layer, rungs, threads)
    examples = max_examples or max(FEWEST, settings().max_examples // 10)
    examiner = Examiner(subject, as_strategy(inputs), examples, seed)
    results: dict[str, PropertyResult] = {}
    roots: dict[str, str] = {}  # of what fails, or was not checked: what fails

    def result_of(property_: Property) -> PropertyResult:
        key = property_.key
        if key not in results:
            needs = property_.needs
            if property_.compares and not subject.repeatable:
                needs = (*needs, "deterministic")
            for needed in needs:
                result_of(BY_KEY[needed])
            failing = next((roots[needed] for needed in needs if needed in roots), None)
            if key in skip:
                results[key] = property_.left_out("skipped")
            elif failing is not None:
                roots[key] = failing
                results[key] = property_.left_out(f"not checked, since {failing} fails")
            else:
                results[key] = examiner.examine(property_)
                if results[key].holds is False:
                    roots[key] = key
        return results[key]

    with on_device(subject.device):
        examiner.settle()
        if result_of(BY_KEY["dtypes"]).holds is not True:
            subject.sharp = subject.dtype
        report = LayerReport(subject.title(), [result_of(property_) for property_ in PROPERTIES])
    if raise_error and not report.ok:
        raise LayerError(report)
    return report


def _check_arguments(skip: Any, max_examples: Any, seed: Any, rungs: Any, threads: Any) -> None:
    for name, values, allowed in (("skip", skip, tuple(BY_KEY)), ("rungs", rungs, RUNGS)):
        if isinstance(values, str) or not isinstance(values, Collection):
            raise TypeError(f"check_layer: {name} must be a tuple of names, got {values!r}")
        devices_ = [value for value in values if name == "rungs" and str(value).startswith("cuda")]
        for value in devices_:
            devices.check_name(value)
        if unknown := [value for value in values if value not in (*allowed, *devices_)]:
            raise ValueError(
                f"check_layer: {name} must be of {', '.join(allowed)}, got {unknown[0]!r}"
            )
    if isinstance(threads, int) or not all(_is_count(count) for count in threads):
        raise ValueError(
            f"check_layer: threads must be a tuple of positive integers, got {threads!r}"
        )
    if max_examples is not None and not _is_count(max_examples):
        raise ValueError(
            f"check_layer: max_examples must be a positive integer, got {max_examples!r}"
        )
    if not isinstance(seed, int) or isinstance(seed, bool):
        raise TypeError(f"check_layer: seed must be an integer, got {seed!r}")
    for name, values in (("rungs", rungs), ("threads", threads)):
        if not values:
            raise ValueError(f"check_layer: {name} must not be empty")


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
