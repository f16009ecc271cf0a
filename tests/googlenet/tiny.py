"""A GoogLeNet of a few thousand parameters, runs of it, and the command line within this process.

The network is data: with narrow rows it is the same network, and its files are small.
"""

import dataclasses
import io
import signal
import sys
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image

from googlenet import architecture, cli
from googlenet.run_folder import RunFolder

CLASSES = ("cat", "dog", "owl")


def narrow(stage, width=4):
    if isinstance(stage, architecture.Conv):
        return stage._replace(out_channels=width)
    if isinstance(stage, architecture.Branches):
        two = [tuple(narrow(layer, 2) for layer in branch) for branch in stage.branches]
        return stage._replace(branches=tuple(two))
    return stage


def narrowed(design):
    """Return a description in which every convolution is narrow."""
    heads = tuple(
        head._replace(
            features=head.features and 4,
            convs=tuple(c._replace(out_channels=2) for c in head.convs),
        )
        for head in design.heads
    )
    return dataclasses.replace(design, stages=tuple(map(narrow, design.stages)), heads=heads)


@contextmanager
def narrow_networks():
    """Make every network narrow."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("design", "inception_bn", "inception_v3"):
            whole = getattr(architecture, name)
            patch.setattr(architecture, name, lambda *a, whole=whole, **o: narrowed(whole(*a, **o)))
        yield


@pytest.fixture(scope="module")
def tiny():
    """Make every network of this module narrow."""
    with narrow_networks():
        yield


@dataclasses.dataclass
class Done:
    code: int
    out: str
    err: str


def call(*arguments, stdin=b""):
    """Run the command line as `googlenet …` does, and return what it said."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    code = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["googlenet", *map(str, arguments)])
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        patch.setenv("COLUMNS", "120")
        try:
            cli.main()
        except SystemExit as end:
            code = end.code or 0
    return Done(code, *(text.buffer.getvalue().decode() for text in (out, err)))


def train(path, *options, stop=False, pictures="64"):
    """Train a run for a moment; with `stop`, it is interrupted after its first step."""
    arguments = ["train", "--run", path, "--epochs", "2", "--workers", "1"]
    arguments += [] if pictures is None else ["--pictures", pictures]
    with pytest.MonkeyPatch.context() as patch:
        if stop:
            patch.setattr(RunFolder, "step", lambda *told: signal.raise_signal(signal.SIGINT))
        done = call(*arguments, *options)
    assert done.code == (130 if stop else 0), done.err
    return path


def photographs(root, classes=CLASSES, each=4, mode="RGB"):
    """Make a folder of pictures of different sizes, those of each class alike."""
    rng = np.random.default_rng(7)
    for label, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for number in range(each):
            shape = (40 + 3 * number, 50, 3)
            pixels = np.clip(rng.normal(40 + 70 * label, 30, shape), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).convert(mode).save(root / name / f"{number}.png")
    return root
