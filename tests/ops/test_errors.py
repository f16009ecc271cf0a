"""What every operation says when it is called wrongly: which exception, and the whole sentence.

A call that is refused is written as text, so that a failing test is named by it. The tables may not
have gaps, and tests walk over what there is to see that they have none: every operation of
`minigrad.functional` and every argument of it that is a Tensor, every method of Tensor that takes
an argument, every `raise` in `minigrad.ops` and `minigrad.tensor`.
"""

import ast
import inspect
import re
from pathlib import Path

import numpy as np
import pytest

import minigrad
from minigrad import functional as F
from minigrad import tensor
from minigrad.ops import elementwise
from tests.gpu import standin
from tests.ops.refusals import ERRORS


def ones(*shape):
    return tensor(np.ones(shape, np.float32))


def names():
    """Give what the calls speak of."""
    return {
        "np": np, "minigrad": minigrad, "F": F, "tensor": tensor, "elementwise": elementwise,
        "x": ones(2, 3), "vector": ones(3), "cube": ones(2, 3, 4), "cols": ones(2, 36, 9),
        "image": ones(2, 4, 5, 5), "weight": ones(6, 4, 3, 3), "statistics": ones(4),
        "whole": tensor([1, 2]), "flags": tensor([True, False]),
        "grown": tensor(np.ones((2, 3), np.float32), requires_grad=True) * 1,
        "there": minigrad.Tensor(standin.asarray(np.ones((6, 4, 3, 3), np.float32))),  # on a GPU
    }  # fmt: skip


def refusal(call, **more):
    """Make a call that must be refused; give the exception."""
    try:
        eval(call, {**names(), **more})
    except Exception as error:
        return error
    raise AssertionError(f"not refused: {call}")


@pytest.mark.parametrize(("call", "kind", "sentence"), ERRORS, ids=[row[0] for row in ERRORS])
def test_errors(call, kind, sentence):
    error = refusal(call)
    assert type(error) is kind
    assert re.fullmatch(re.escape(sentence).replace(r"\*\*\*", ".*"), str(error), re.DOTALL), error


# -- arguments that must be floating tensors -----------------------------------------------------

# (operation, argument): a call in which `bad` stands for the argument, and the shape it should have
TENSORS = {
    ("adaptive_avg_pool2d", "x"): ("F.adaptive_avg_pool2d(bad, 1)", (2, 4, 5, 5)),
    ("avg_pool2d", "x"): ("F.avg_pool2d(bad, 2)", (2, 4, 5, 5)),
    ("batch_norm", "x"): ("F.batch_norm(bad, statistics, statistics)", (2, 4, 5, 5)),
    ("batch_norm", "running_mean"): ("F.batch_norm(image, bad, statistics)", (4,)),
    ("batch_norm", "running_var"): ("F.batch_norm(image, statistics, bad)", (4,)),
    ("batch_norm", "weight"): ("F.batch_norm(image, statistics, statistics, bad)", (4,)),
    ("batch_norm", "bias"): ("F.batch_norm(image, statistics, statistics, bias=bad)", (4,)),
    ("col2im", "cols"): ("F.col2im(bad, 5, 3)", (2, 36, 9)),
    ("concat", "tensors"): ("F.concat([bad])", (2, 3)),
    ("conv2d", "x"): ("F.conv2d(bad, weight)", (2, 4, 5, 5)),
    ("conv2d", "weight"): ("F.conv2d(image, bad)", (6, 4, 3, 3)),
    ("conv2d", "bias"): ("F.conv2d(image, weight, bad)", (6,)),
    ("cross_entropy", "logits"): ("F.cross_entropy(bad, [0, 1])", (2, 3)),
    ("cross_entropy", "weight"): ("F.cross_entropy(x, [0, 1], bad)", (3,)),
    ("dropout", "x"): ("F.dropout(bad)", (2, 3)),
    ("im2col", "x"): ("F.im2col(bad, 3)", (2, 4, 5, 5)),
    ("linear", "x"): ("F.linear(bad, x)", (2, 3)),
    ("linear", "weight"): ("F.linear(x, bad)", (2, 3)),
    ("linear", "bias"): ("F.linear(x, x, bad)", (2,)),
    ("local_response_norm", "x"): ("F.local_response_norm(bad, 3)", (2, 4, 5, 5)),
    ("log_softmax", "x"): ("F.log_softmax(bad, 1)", (2, 3)),
    ("max_pool2d", "x"): ("F.max_pool2d(bad, 2)", (2, 4, 5, 5)),
    ("nll_loss", "log_probabilities"): ("F.nll_loss(bad, [0, 1])", (2, 3)),
    ("nll_loss", "weight"): ("F.nll_loss(x, [0, 1], bad)", (3,)),
    ("pad", "x"): ("F.pad(bad, (1, 1))", (2, 3)),
    ("relu", "x"): ("F.relu(bad)", (2, 3)),
    ("softmax", "x"): ("F.softmax(bad, 1)", (2, 3)),
}
MOVES_ANYTHING = ("concat", "pad")  # they compute nothing: any real dtype passes through


def tensor_arguments():
    """List all arguments of `minigrad.functional` that are tensors, with their annotations."""
    return {
        (name, argument): str(parameter.annotation)
        for name in F.__all__
        for argument, parameter in inspect.signature(getattr(F, name)).parameters.items()
        if "Tensor" in str(parameter.annotation)
    }


def test_no_operation_and_no_argument_is_forgotten():
    assert {name for name, _ in TENSORS} == set(F.__all__)
    assert set(TENSORS) == set(tensor_arguments())


@pytest.mark.parametrize(("operation", "argument"), TENSORS)
def test_good_arguments_pass(operation, argument):
    """Or else the two tests below could see some other refusal."""
    call, shape = TENSORS[operation, argument]
    out = eval(call, {**names(), "bad": ones(*shape)})
    assert out.dtype == np.float32


@pytest.mark.parametrize(("operation", "argument"), TENSORS)
def test_what_is_no_tensor_is_refused(operation, argument):
    call, shape = TENSORS[operation, argument]
    optional = "None" in tensor_arguments()[operation, argument]
    for bad in (np.ones(shape, np.float32), [[1.0]], 1.5, "x", *(() if optional else (None,))):
        kind = type(bad).__name__
        error = refusal(call, bad=bad)
        assert type(error) is TypeError
        if operation == "concat":
            assert str(error) == f"concat: at least one operand must be a Tensor, got {kind}"
        else:
            sentence = f"{operation}: {argument} must be a Tensor, got {kind}"
            assert str(error) == f"{sentence} (minigrad.tensor makes one)"


@pytest.mark.parametrize("dtype", ["int64", "uint8", "bool", "complex64", "complex128"])
@pytest.mark.parametrize(("operation", "argument"), TENSORS)
def test_dtypes_that_are_not_computed_with_are_refused(operation, argument, dtype):
    call, shape = TENSORS[operation, argument]
    bad = minigrad.Tensor(np.ones(shape, dtype))
    if operation in MOVES_ANYTHING and not dtype.startswith("complex"):
        assert eval(call, {**names(), "bad": bad}).dtype == dtype
        return
    error = refusal(call, bad=bad)
    assert type(error) is TypeError
    assert str(error) == {
        "concat": "concat: an operand must be a Tensor, an array of real numbers or a number, "
        f"got ndarray of {dtype}",
        "pad": f"pad: x: values must be real numbers or booleans, got dtype {dtype}",
    }.get(operation, f"{operation}: {argument} must be float32 or float64, got {dtype}")


# -- no error without a row ----------------------------------------------------------------------


def raised_at(error):
    """List the (file, line) of every `raise` that led to this exception."""
    places = set()
    while error is not None:
        trace = error.__traceback__
        while trace is not None:
            places.add((trace.tb_frame.f_code.co_filename, trace.tb_lineno))
            trace = trace.tb_next
        error = error.__context__  # what an `except` turned into this one
    return places


def test_every_raise_is_reached_by_a_row():
    """An error that nothing here provokes has a sentence that nobody has read."""
    reached = set().union(*(raised_at(refusal(call)) for call, _, _ in ERRORS))
    package = Path(minigrad.__file__).parent
    forgotten = []
    for path in sorted([*package.glob("ops/**/*.py"), package / "tensor.py"]):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise):
                lines = range(node.lineno, node.end_lineno + 1)
                if not any((str(path), line) in reached for line in lines):
                    forgotten.append(f"{path.relative_to(package)}:{node.lineno}")
    assert not forgotten


def test_every_method_that_takes_an_argument_is_called_wrongly_somewhere():
    methods = {
        name
        for name, member in vars(minigrad.Tensor).items()
        if inspect.isfunction(member) and not name.startswith("_")
        if len(inspect.signature(member).parameters) > 1
    }
    assert len(methods) > 10
    calls = "\n".join(call for call, _, _ in ERRORS)
    called = {name for name in methods if f".{name}(" in calls}
    assert methods - called == {"new"}  # an array as it is: not for users


# -- integers may be NumPy's ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "shape"),
    [
        ("x.reshape(np.array([3, 2]))", (3, 2)),
        ("x.reshape(tensor([3, 2]))", (3, 2)),
        ("x.reshape(np.int32(3), -1)", (3, 2)),
        ("x.reshape(np.array(6))", (6,)),
        ("x.reshape([np.int64(6)])", (6,)),
        ("x.broadcast_to(np.array([4, 2, 3]))", (4, 2, 3)),
        ("x.permute(np.array([1, 0]))", (3, 2)),
        ("x.permute(np.argsort([5, 4]))", (3, 2)),
        ("x.transpose(np.int64(0), np.int8(-1))", (3, 2)),
        ("x.flatten(np.int64(0))", (6,)),
        ("x.unsqueeze(np.int64(-1))", (2, 3, 1)),
        ("x[:1].squeeze(np.int64(0))", (3,)),
        ("x.sum(np.int64(0))", (3,)),
        ("x.max((np.int64(0), -1))", ()),
        ("x.var(0, correction=np.int64(1))", (3,)),
        ("x.argmax(np.int64(1))", (2,)),
        ("F.pad(x, np.array([1, 1]))", (2, 5)),
        ("minigrad.stack([x, x], np.int64(2))", (2, 3, 2)),
        ("F.concat([x, x], np.int64(1))", (2, 6)),
        ("F.softmax(x, np.int64(1))", (2, 3)),
        ("F.conv2d(image, weight[:, :2], stride=np.int8(2), groups=np.int64(2))", (2, 6, 2, 2)),
        ("F.max_pool2d(image, np.int64(2))", (2, 4, 2, 2)),
        ("F.cross_entropy(x, np.array([0, 1], np.uint8), ignore_index=np.int64(1))", ()),
    ],
)
def test_integers_of_numpy_pass(call, shape):
    assert eval(call, names()).shape == shape
