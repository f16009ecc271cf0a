"""The inputs on which PyTorch tests its own operations (``op_db``), and how one is judged."""

import random
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

import minigrad
from minigrad import Tensor, kernels
from tests.conformance.torch_operations import OPERATIONS, TAKE_NUMBERS, WITH_RUNGS
from tests.conformance.verdicts import LeftOut, Verdict, judge, rungs

RTOL = 1e-12


@dataclass(frozen=True)
class Sample:
    """One call of an operation.

    Attributes
    ----------
    operation : str
        A key of `OPERATIONS`.
    theirs : callable
        PyTorch's function.
    is_error : bool
        Whether PyTorch refuses this call, and so must we.
    """

    name: str
    operation: str
    theirs: Callable[..., Any]
    arguments: tuple[Any, ...]
    options: dict[str, Any] = field(default_factory=dict)
    is_error: bool = False


def load() -> list[Sample]:
    """Let PyTorch make its samples of the operations we have, always the same ones."""
    import torch  # the judge: not everyone has it
    from torch.testing._internal.common_methods_invocations import op_db

    found = []
    for op in op_db:
        variant = f"{op.name}.{op.variant_test_name}"
        operation = variant if variant in OPERATIONS else op.name
        if operation not in OPERATIONS or variant == "nn.functional.batch_norm.without_cudnn":
            continue
        name = variant.removesuffix(".")
        # Not op.sample_inputs(), which searches the stack for one of PyTorch's own tests each time.
        with seeded(torch):
            samples = list(op.sample_inputs_func(op, "cpu", torch.float64, op.supports_autograd))
            errors = list(op.error_inputs_func(op, "cpu")) if op.error_inputs_func else []
        theirs = THEIRS.get(operation, op.op)
        for kind, some in (("", samples), ("error-", [e.sample_input for e in errors])):
            for i, s in enumerate(some):
                call = (s.input, *s.args), s.kwargs
                found.append(Sample(f"{name}-{kind}{i}", operation, theirs, *call, kind != ""))
        if operation == "nn.functional.unfold":  # PyTorch has no samples of fold
            found += [
                Sample(f"fold-{i}", "fold", THEIRS["fold"], (s.input, *s.args), s.kwargs)
                for i, s in enumerate(samples)
            ]
    return found


@contextmanager
def seeded(torch: Any) -> Iterator[None]:
    """Start all generators that samples may be drawn from, and afterwards put them back."""
    python, legacy = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            random.seed(0)
            np.random.seed(0)  # noqa: NPY002
            yield
    finally:
        random.setstate(python)
        np.random.set_state(legacy)  # noqa: NPY002


def _batch_norm(x: Any, mean: Any, var: Any, *arguments: Any, **options: Any) -> tuple[Any, ...]:
    from torch.nn.functional import batch_norm

    out = batch_norm(x, mean, var, *arguments, **options)
    return (out, *(statistic for statistic in (mean, var) if statistic is not None))


def _unfold_and_fold(x: Any, *window: Any, **options: Any) -> Any:
    from torch.nn.functional import fold, unfold

    return fold(unfold(x, *window, **options), x.shape[2:], *window, **options)


THEIRS = {"nn.functional.batch_norm": _batch_norm, "fold": _unfold_and_fold}


# -- the same call for both --------------------------------------------------------------------


def convert(value: Any, leaf: Callable[[Any], Any]) -> Any:
    """Apply `leaf` to the torch tensors in lists, tuples and dictionaries."""
    if type(value) in (list, tuple):
        return type(value)(convert(v, leaf) for v in value)
    if isinstance(value, dict):
        return {k: convert(v, leaf) for k, v in value.items()}
    return leaf(value) if hasattr(value, "requires_grad") else value


def ours_of(leaves: list[Tensor]) -> Callable[[Any], Tensor]:
    """Make our tensors, in the same order in memory; those that want a gradient go to `leaves`."""

    def leaf(theirs: Any) -> Tensor:
        if theirs.ndim > 64:
            raise LeftOut("more than 64 axes: NumPy has no such arrays")
        array = np.array(theirs.detach().resolve_conj().resolve_neg().numpy(), order="K")
        if array.dtype.kind not in "biuf":
            minigrad.tensor(array)  # says why not
        made = Tensor(array, theirs.requires_grad)
        if theirs.requires_grad:
            leaves.append(made)
        return made

    return leaf


def theirs_of(leaves: list[Any]) -> Callable[[Any], Any]:
    """Make copies of their tensors, since some operations write into what they are given."""

    def leaf(theirs: Any) -> Any:
        made = theirs.detach().clone().requires_grad_(theirs.requires_grad)
        if theirs.requires_grad:
            leaves.append(made)
        return made

    return leaf


def listed(outputs: Any) -> list[Any]:
    return list(outputs) if isinstance(outputs, tuple | list) else [outputs]


def size(sample: Sample) -> int:
    """Count the numbers in all tensors of a call."""
    sizes: list[int] = []
    convert((sample.arguments, sample.options), lambda t: sizes.append(t.numel()))
    return sum(sizes)


# -- judging -----------------------------------------------------------------------------------


def check(sample: Sample) -> Iterator[LeftOut]:
    """Compare outputs and gradients on every rung. Gives the outputs that are left out."""
    if draws_a_mask(sample):
        raise LeftOut("the mask that PyTorch's generator draws: ours is a hash of a key")
    wanted = their_answer(sample)
    for rung in rungs(size(sample), sample.operation in WITH_RUNGS):
        with kernels(rung):
            yield from compare(sample, wanted, f"{sample.name} on {rung}")


def draws_a_mask(sample: Sample) -> bool:
    in_training, p = sample.options.get("training", True), sample.options.get("p", 0.5)
    return sample.operation == "nn.functional.dropout" and in_training and 0 < p < 1


@dataclass(frozen=True)
class Answer:
    """What PyTorch computes: outputs, and the gradients that belong to random cotangents.

    `scale` is the largest number in the call. Sums round relative to what is added up, and what
    they come to may be much smaller.
    """

    outputs: list[np.ndarray]
    passes_gradient: list[bool]
    cotangents: list[np.ndarray]
    gradients: list[np.ndarray]
    scale: float


def their_answer(sample: Sample) -> Answer:
    import torch

    leaves: list[Any] = []
    arguments, options = convert((sample.arguments, sample.options), theirs_of(leaves))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # its threads wait for each other longer than such inputs take
    try:
        outputs = listed(sample.theirs(*arguments, **options))
        rng = np.random.default_rng(0)
        cotangents = [rng.standard_normal(tuple(out.shape)) for out in outputs]
        through = [i for i, out in enumerate(outputs) if out.requires_grad]
        gradients = through and torch.autograd.grad(
            [outputs[i] for i in through],
            leaves,
            [torch.from_numpy(cotangents[i]) for i in through],
            allow_unused=True,
        )
    finally:
        torch.set_num_threads(threads)
    arrays = [out.detach().numpy() for out in outputs]
    inputs = [leaf.detach().numpy() for leaf in leaves]
    return Answer(
        arrays,
        [out.requires_grad for out in outputs],
        cotangents,
        [
            np.zeros(leaf.shape) if gradient is None else gradient.numpy()
            for leaf, gradient in zip(leaves, gradients or [None] * len(leaves), strict=True)
        ],
        max((largest(a) for a in (*arrays, *inputs, *cotangents)), default=0.0),
    )


def largest(array: np.ndarray) -> float:
    return float(np.abs(array[np.isfinite(array)]).max(initial=0.0))


def compare(sample: Sample, wanted: Answer, where: str) -> Iterator[LeftOut]:
    """Run ours, forwards and backwards, and hold it against theirs."""
    leaves: list[Tensor] = []
    arguments, options = convert((sample.arguments, sample.options), ours_of(leaves))
    outputs = listed(OPERATIONS[sample.operation](*arguments, **options))
    assert len(outputs) == len(wanted.outputs), where
    for i, got in enumerate(outputs):
        if isinstance(got, LeftOut):
            yield got
            continue
        assert got.requires_grad == wanted.passes_gradient[i], where
        assert_like(got.data, wanted.outputs[i], wanted.scale, f"{where}: output {i}")
        if got.requires_grad:
            got.backward(wanted.cotangents[i], retain_graph=True)
    for i, (leaf, gradient) in enumerate(zip(leaves, wanted.gradients, strict=True)):
        found = np.zeros(leaf.shape) if leaf.grad is None else leaf.grad.data
        assert_like(found, gradient, wanted.scale, f"{where}: gradient of tensor {i}")


def assert_like(got: np.ndarray, wanted: np.ndarray, scale: float, where: str) -> None:
    assert got.dtype == wanted.dtype, f"{where}: dtype {got.dtype}, wanted {wanted.dtype}"
    assert got.shape == wanted.shape, f"{where}: shape {got.shape}, wanted {wanted.shape}"
    if wanted.dtype.kind == "f":
        np.testing.assert_allclose(got, wanted, RTOL, RTOL * scale, err_msg=where)
    else:
        np.testing.assert_array_equal(got, wanted, where)


def check_refused(sample: Sample) -> Iterator[LeftOut]:
    """Insist that minigrad itself says what is wrong with a call that PyTorch refuses."""
    if "out" in sample.options:
        raise LeftOut("out=: our operations return new tensors")
    if sample.operation in TAKE_NUMBERS and any(isinstance(a, int) for a in sample.arguments):
        raise LeftOut("numbers as operands: not refused here")
    refusal = None
    try:
        arguments, options = convert((sample.arguments, sample.options), ours_of([]))
        OPERATIONS[sample.operation](*arguments, **options)
    except (TypeError, ValueError, IndexError) as error:
        refusal = error
    assert refusal is not None, f"{sample.name}: PyTorch refuses this call, we do not"
    sentence = re.match(r"[a-z_0-9]+: ", str(refusal))
    assert sentence, f"{sample.name}: {refusal!r} does not say which operation refuses"
    assert is_ours(refusal.__traceback__), f"{sample.name}: {refusal!r} is not ours"
    return
    yield  # a generator, as `check` is


def is_ours(traceback: TracebackType | None) -> bool:
    """Tell whether an error was raised in minigrad: not in the adapter, nor by NumPy."""
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    here = Path(minigrad.__file__).parent
    return traceback is not None and here in Path(traceback.tb_frame.f_code.co_filename).parents


@cache
def samples() -> dict[str, Sample]:
    return {sample.name: sample for sample in load()}


@cache
def verdict(name: str) -> Verdict:
    sample = samples()[name]
    run = check_refused if sample.is_error else check
    return judge(sample.operation, name, lambda: run(sample))
