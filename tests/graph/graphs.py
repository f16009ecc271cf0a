"""Graphs to draw and to walk: random ones, and small networks; and how to read what is shown."""

from html.parser import HTMLParser

import numpy as np
from hypothesis import strategies as st

import minigrad
from minigrad import functional as F
from minigrad import nn

STEPS = st.lists(st.tuples(*[st.integers(0, 5)] * 3), min_size=1, max_size=10)
KINDS = (
    lambda a, b: a + b,
    lambda a, b: a * b,
    lambda a, b: a.tanh(),
    lambda a, b: a - b * 0.5,
    lambda a, b: F.relu(a) + a,
    lambda a, b: minigrad.concat([a, b])[: a.shape[0]],
)


def computed(steps, x, y):
    """Follow a drawn recipe: results are used again, also twice by one operation."""
    made = [x, y]
    for kind, i, j in steps:
        made.append(KINDS[kind](made[-1 - i % len(made)], made[-1 - j % len(made)]))
    return (made[-1] * made[len(made) // 2]).sum()


def leaves(seed):
    """Make two leaves."""
    rng = np.random.default_rng(seed)
    return [minigrad.tensor(rng.standard_normal(3), requires_grad=True) for _ in range(2)]


class Inception(nn.Module):
    """Four branches, as GoogLeNet has them, small."""

    def __init__(self, channels):
        self.one = nn.Conv2d(channels, 2, 1)
        self.three_reduce, self.three = nn.Conv2d(channels, 2, 1), nn.Conv2d(2, 3, 3, padding=1)
        self.pool, self.proj = nn.MaxPool2d(3, 1, 1), nn.Conv2d(channels, 1, 1)

    def forward(self, x):
        three = self.three(F.relu(self.three_reduce(x)))
        return minigrad.concat([self.one(x), three, self.proj(self.pool(x))], axis=1)


class Net(nn.Module):
    """Two of them, with a pool between, and a classifier."""

    def __init__(self):
        self.stem = nn.Conv2d(1, 2, 3, padding=1)
        self.a, self.pool, self.b = Inception(2), nn.MaxPool2d(2), Inception(6)
        self.classifier = nn.Linear(6, 3)

    def forward(self, x):
        x = self.b(self.pool(self.a(F.relu(self.stem(x)))))
        return self.classifier(F.adaptive_avg_pool2d(x, 1).flatten(1))


def images(grad=True):
    """Make a batch for `Net`."""
    rng = np.random.default_rng(0)
    return minigrad.tensor(rng.standard_normal((2, 1, 4, 4), dtype=np.float32), requires_grad=grad)


def read_html(page):
    """Read a piece of a page: its elements, each with its attributes, and its texts."""
    elements, texts = [], []
    reader = HTMLParser()
    reader.handle_starttag = lambda tag, attributes: elements.append((tag, dict(attributes)))
    reader.handle_data = texts.append
    reader.feed(page)
    reader.close()
    return elements, texts
