"""The cases of the ONNX standard (``onnx.backend.test.case.node``), and how one is judged."""

import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from minigrad import Tensor, kernels, tensor
from tests.conformance.onnx_operators import OPERATORS, WITH_RUNGS
from tests.conformance.verdicts import LeftOut, Verdict, judge, rungs


@dataclass(frozen=True)
class Case:
    """One call of an operator, and what must come out.

    Attributes
    ----------
    inputs
        An optional input that is left out is None.
    wanted
        The arrays that must come out; None for an optional output that is left out.
    """

    name: str
    operator: str
    inputs: tuple[np.ndarray | None, ...]
    attributes: dict[str, Any]
    wanted: tuple[np.ndarray | None, ...]
    rtol: float
    atol: float


def load() -> list[Case]:
    """Let ONNX make its cases of the operators we have. Some seconds, most of them for pooling."""
    from onnx.backend.test.case import node  # the judge: not everyone has it

    state = np.random.get_state()  # noqa: NPY002 — the modules seed it, and draw from it
    wanted = {name.lower() for name in OPERATORS}
    try:
        with np.errstate(all="ignore"):  # the logarithm of 0 is among the cases
            for module in pkgutil.iter_modules(node.__path__):
                if module.name.replace("_", "") in wanted:
                    importlib.import_module(f"{node.__name__}.{module.name}")
    finally:
        np.random.set_state(state)  # noqa: NPY002
    made = list(node._NodeTestCases)
    operators = {case.name: case.model.graph.node[0].op_type for case in made}
    # "test_relu_expanded", "test_relu_expanded_ver18": belongs to the operator of "test_relu".
    owners = {name: operators[name.partition("_expanded")[0]] for name in operators}
    return [read(case, owners[case.name]) for case in made if owners[case.name] in OPERATORS]


def read(case: Any, operator: str) -> Case:
    """Take the arrays and attributes out of one of ONNX's cases."""
    from onnx.helper import get_attribute_value

    node, ((inputs, outputs),) = case.model.graph.node[0], case.data_sets
    expanded = "_expanded" in case.name
    attributes = {} if expanded else {a.name: get_attribute_value(a) for a in node.attribute}
    return Case(
        case.name,
        operator,
        tuple(map(np.asarray, inputs)) if expanded else in_their_places(node.input, inputs),
        {k: v.decode() if isinstance(v, bytes) else v for k, v in attributes.items()},
        tuple(map(np.asarray, outputs)) if expanded else in_their_places(node.output, outputs),
        case.rtol,
        case.atol,
    )


def in_their_places(names: list[str], arrays: list[Any]) -> tuple[np.ndarray | None, ...]:
    """Put None where a name is empty: a case has only the arrays that are there."""
    rest = iter(arrays)
    return tuple(np.asarray(next(rest)) if name else None for name in names)


def check(case: Case) -> Iterator[LeftOut]:
    """Run a case on every rung. Gives the outputs that are left out."""
    if "_expanded" in case.name:
        raise LeftOut("the operator's definition by others, which are judged by their own cases")
    for array in (*case.inputs, *case.wanted):
        if array is not None and array.dtype.kind not in "biuf":
            raise LeftOut("strings")
    numbers = sum(array.size for array in case.inputs if array is not None)
    for rung in rungs(numbers, case.operator in WITH_RUNGS):
        with kernels(rung):
            inputs = [None if a is None else tensor(a) for a in case.inputs]
            outputs = OPERATORS[case.operator](*inputs, **case.attributes)
        outputs = outputs if isinstance(outputs, list) else [outputs]
        assert len(outputs) >= len(case.wanted), rung
        for got, wanted in zip(outputs, case.wanted, strict=False):
            if isinstance(got, LeftOut):
                if wanted is not None:
                    yield got
            elif wanted is not None:
                assert_like(got, wanted, case, rung)


def assert_like(got: Any, wanted: np.ndarray, case: Case, rung: str) -> None:
    got = got.data if isinstance(got, Tensor) else np.asarray(got)
    where = f"{case.name} on {rung}"
    assert got.dtype == wanted.dtype, f"{where}: dtype {got.dtype}, wanted {wanted.dtype}"
    assert got.shape == wanted.shape, f"{where}: shape {got.shape}, wanted {wanted.shape}"
    np.testing.assert_allclose(got, wanted, case.rtol, case.atol, err_msg=where)


@cache
def cases() -> dict[str, Case]:
    return {case.name: case for case in load()}


@cache
def verdict(name: str) -> Verdict:
    case = cases()[name]
    return judge(case.operator, name, lambda: check(case))
