"""What convolution takes in from its neighbours, and Winograd's way through 3×3: what must hold."""
# ruff: noqa: D401
# (the docstring of a property states it)

from typing import Any

import numpy as np

from minigrad import concat
from minigrad import functional as F
from minigrad.autograd import Array
from minigrad.ops.conv import allow_winograd
from minigrad.testing import laws
from minigrad.testing import strategies as our
from minigrad.testing.laws.comparison import run
from minigrad.testing.place import fetch, tensor
from minigrad.testing.strategies import Conv2dCase, random_array
from minigrad.testing.suite.comparing import OTHER, same
from minigrad.testing.suite.property import CPU_THREADS, holds


@holds("conv2d", case=our.conv2d_cases())
def relu_folded_into_convolution(case: Conv2dCase) -> None:
    """With activation="relu" it is relu after conv2d, its gradients too, exactly on integers."""
    arrays = case.arrays(values="integers")
    options: dict[str, Any] = {**case.options, "activation": "relu"}
    folded = run(lambda *t: F.conv2d(*t, **options), arrays, seed=case.seed + OTHER)
    after = run(lambda *t: F.relu(F.conv2d(*t, **case.options)), arrays, seed=case.seed + OTHER)
    same(folded.outputs[0], after.outputs[0])
    for i, name in enumerate(("x", "weight", "bias")):
        same(folded.gradients[i], after.gradients[i], f"the gradient of {name}")


@holds("conv2d")
def folded_relu_on_all_rungs() -> None:
    """All rungs agree to the bit on integers."""
    arrays = [random_array(s, "integers", seed=i) for i, s in enumerate(SMALL)]
    laws.rungs_agree(
        lambda x, w, b: F.conv2d(x, w, b, padding=1, activation="relu"), arrays, seed=OTHER
    )


SMALL = (2, 3, 5, 6), (4, 3, 3, 3), (4,)


def _branches(x: Any, *weights: Any) -> Any:
    return concat([F.conv2d(x, w, padding=w.shape[2] // 2) for w in weights] + [x], axis=1)


@holds("conv2d")
def gradients_of_branches_meet() -> None:
    """Convolutions of one input give it the sum of what each gives alone, on all rungs."""
    shapes = (2, 4, 5, 5), (3, 4, 1, 1), (5, 4, 1, 1), (2, 4, 3, 3)
    x, *weights = (random_array(s, "integers", seed=i) for i, s in enumerate(shapes))
    cotangent = random_array((2, 3 + 5 + 2 + 4, 5, 5), "integers", seed=OTHER)
    total = cotangent[:, 10:].copy()
    for weight, part in zip(weights, np.split(cotangent, [3, 8, 10], axis=1), strict=False):
        alone = tensor(x, requires_grad=True)
        F.conv2d(alone, tensor(weight), padding=weight.shape[2] // 2).backward(part)
        assert alone.grad is not None
        total += fetch(alone.grad)
    together = tensor(x, requires_grad=True)
    _branches(together, *(tensor(w) for w in weights)).backward(cotangent)
    assert together.grad is not None
    same(together.grad.data, total, "the gradient of x")
    laws.rungs_agree(_branches, [x, *weights], seed=OTHER)


# Tiles of 4×4 hang over the lower and the right border, and into the padding.
LARGE = (3, 32, 15, 18), (48, 32, 3, 3), (48,)


def _padded(x: Any, weight: Any, bias: Any) -> Any:
    return F.conv2d(x, weight, bias, padding=1)


def _large() -> list[Array]:
    return [random_array(s, dtype=np.float32, seed=i) for i, s in enumerate(LARGE)]


@holds("conv2d", cpu_only="Winograd's way through 3×3 is the CPU's")
def winograd_but_for_rounding() -> None:
    """Outputs and gradients as without it, but for the roundings of float32."""
    ours = run(_padded, _large(), seed=OTHER)
    allow_winograd(False)
    try:
        plain = run(_padded, _large(), seed=OTHER)
    finally:
        allow_winograd(True)
    pairs = {"the output": (ours.outputs[0], plain.outputs[0])}
    for i, name in enumerate(("x", "weight", "bias")):
        pairs[f"the gradient of {name}"] = ours.gradients[i], plain.gradients[i]
    for what, (got, want) in pairs.items():
        size = np.abs(want).max()
        same(got / size, want / size, f"{what}, over its largest number,", rtol=2e-6)


@holds("conv2d", cpu_only=CPU_THREADS)
def winograd_on_any_number_of_threads() -> None:
    """No bit depends on the number of threads."""
    laws.threads_agree(_padded, _large())
