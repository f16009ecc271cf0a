"""What the engine asks of every operation, whatever it computes: laws over all `CASES`."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from minigrad import functional as F
from minigrad.testing import laws
from minigrad.testing.gradients import gradcheck
from minigrad.testing.strategies import random_array
from minigrad.testing.suite.cases import CASES
from minigrad.testing.suite.property import CPU_THREADS, Property

LAWS: dict[str, Callable[..., Any]] = {
    "gradcheck": gradcheck,
    "inputs_unchanged": laws.inputs_unchanged,
    "keeps_dtype": laws.keeps_dtype,
    "gradients_accumulate": laws.gradients_accumulate,
    "gradients_alone": laws.gradients_alone,
    "deterministic": laws.deterministic,
    # Sums may be taken in another order.
    "same_for_any_memory_layout": partial(laws.same_for_any_memory_layout, roundings=64.0),
}


def _over_cases(operation: str, name: str) -> Property:
    def check() -> None:
        for case in CASES[operation]:
            LAWS[name](case.f, list(case.inputs))

    return Property(operation, f"{name}_of_cases", check)


OVER_CASES = [_over_cases(operation, name) for operation in CASES for name in LAWS]

# -- threads: images that fill several tasks -----------------------------------------------------

IMAGES = random_array((2, 3, 24, 24), "distinct", np.float32)
ROWS = random_array((3000, 5), dtype=np.float32)
ON_THREADS: dict[str, tuple[Callable[..., Any], list[np.ndarray]]] = {
    "max_pool2d": (lambda x: F.max_pool2d(x, 3, 2, 1), [IMAGES]),
    "avg_pool2d": (lambda x: F.avg_pool2d(x, 3, 2, 1), [IMAGES]),
    "batch_norm": (
        lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True),
        [IMAGES, *(random_array((3,), dtype=np.float32, seed=i) for i in (1, 2))],
    ),
    "softmax": (lambda x: F.softmax(x, 1), [ROWS]),
    "linear": (F.linear, [ROWS, *(random_array(s, dtype=np.float32) for s in ((4, 5), (4,)))]),
    "relu": (F.relu, [ROWS]),
}


def _on_threads(operation: str) -> Property:
    def check() -> None:
        """No bit depends on the number of threads."""
        laws.threads_agree(*ON_THREADS[operation])

    return Property(operation, "on_any_number_of_threads", check, cpu_only=CPU_THREADS)


THREADS = [_on_threads(operation) for operation in ON_THREADS]
