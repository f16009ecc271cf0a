"""Every layer of `minigrad.nn` keeps what `check_layer` asks of a layer.

Hyperparameters are such that every term matters: windows that overlap and hang over the edge,
alpha = 1 in local response normalisation, groups, dilation, a weight for each class. A test sees to
it that no layer is forgotten.
"""

import inspect

import numpy as np
import pytest
from hypothesis import strategies as st

from minigrad import nn, tensor
from minigrad.testing import strategies
from minigrad.testing.layers import PROPERTIES, check_layer

ALWAYS = {p.key for p in PROPERTIES}
NO_PARAMETERS = {"parameter_gradients", "connected", "parameters_unchanged"}


def images(channels, size, values="normal"):
    """Draw one to three images."""
    shapes = st.integers(1, 3).map(lambda n: (n, channels, *size))
    return strategies.arrays(shapes, values=values)


rows = strategies.arrays(st.tuples(st.integers(1, 3), st.just(5)))


@st.composite
def scores(draw):
    """Scores for five classes, and which is right. Class 3 is ignored, so not that one alone."""
    first, others = draw(st.integers(0, 2)), draw(st.lists(st.integers(0, 4), max_size=3))
    labels = np.array([first, *others])
    return draw(strategies.arrays((len(labels), 5))), labels


def conv_classifier():
    return nn.Sequential(
        nn.Conv2d(2, 4, 2, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Sequential(nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.4)),
        nn.Linear(4, 3),
    )


# (layer, inputs, properties that say nothing about it)
LAYERS = [
    (nn.AdaptiveAvgPool2d((3, 2)), images(2, (5, 3)), NO_PARAMETERS),
    (
        nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False),
        images(2, (4, 5)), NO_PARAMETERS,
    ),
    (nn.BatchNorm2d(3, momentum=0.5), images(3, (2, 2)), set()),
    (nn.Conv2d(2, 4, (3, 2), (2, 1), (1, 2), (1, 2), groups=2), images(2, (4, 3)), set()),
    (nn.Conv2d(2, 3, 2, padding="same", bias=False), images(2, (3, 3)), set()),
    (
        nn.CrossEntropyLoss(tensor([0.5, 1.0, 2.0, 3.0, 1.5]), 3, label_smoothing=0.1),
        scores(), {*NO_PARAMETERS, "batch"},
    ),
    (nn.CrossEntropyLoss(reduction="none"), scores(), NO_PARAMETERS),
    (nn.Dropout(0.3), rows, NO_PARAMETERS),
    (nn.Flatten(), images(2, (2, 3)), NO_PARAMETERS),
    (nn.Linear(5, 5), rows, set()),
    (nn.LocalResponseNorm(4, alpha=1.0, beta=0.75, k=2.0), images(5, (2, 1)), NO_PARAMETERS),
    (nn.MaxPool2d(3, 2, 1, ceil_mode=True), images(2, (4, 5), "distinct"), NO_PARAMETERS),
    (nn.ReLU(), rows, NO_PARAMETERS),
    (conv_classifier(), images(2, (3, 3)), set()),
]  # fmt: skip


def test_no_layer_is_forgotten():
    public = {
        value for value in vars(nn).values()
        if inspect.isclass(value) and issubclass(value, nn.Module)
    }  # fmt: skip
    assert {type(layer) for layer, *_ in LAYERS} == public - {nn.Module}


@pytest.mark.parametrize(
    ("layer", "inputs", "silent"), LAYERS, ids=[type(layer).__name__ for layer, *_ in LAYERS]
)
def test_layer_keeps_its_contract(layer, inputs, silent):
    report = check_layer(layer, inputs)
    held = {result.key for result in report.results if result.holds}
    assert held == ALWAYS - silent
