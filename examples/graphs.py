"""Draw GoogLeNet's graph, as the engine records it: the whole, folded, and one Inception module.

Run it as ``python -m examples.graphs [FOLDER]``: it writes ``googlenet.svg`` and ``inception.svg``
there, or beside itself. In a browser, a click on a folded module shows what is inside.
"""

import sys
from pathlib import Path

import numpy as np

import minigrad
from googlenet import GoogLeNet
from googlenet.model import loss
from minigrad import graph

FOLDER = Path(__file__).parent


def draw(folder: str | Path) -> list[Path]:
    """Write both drawings into a folder, and return where they are."""
    folder = Path(folder)
    rng = np.random.default_rng(0)
    net = GoogLeNet(num_classes=1000, generator=rng)
    images = minigrad.tensor(
        rng.standard_normal((1, 3, 224, 224), dtype=np.float32), requires_grad=True
    )
    with minigrad.kernels("vectorized"):  # nothing to compile: it runs once
        with graph.calls(net) as seen:
            total, _ = loss(net(images), np.array([7]))
        maps = minigrad.tensor(
            rng.standard_normal((1, 192, 28, 28), dtype=np.float32), requires_grad=True
        )
        with graph.calls(net) as module:
            out = net.inception_3a(maps)
    whole = graph.draw(
        total, model=seen, names={"images": images},
        title="GoogLeNet in training: the loss and all it was computed from",
    )  # fmt: skip
    one = graph.draw(
        out, model=module, names={"from pool2": maps}, fold=False,
        title="Inception 3a: four views of the same maps, concatenated",
    )  # fmt: skip
    made = [folder / "googlenet.svg", folder / "inception.svg"]
    for drawing, path in zip((whole, one), made, strict=True):
        drawing.save(path)
    return made


if __name__ == "__main__":
    for path in draw(sys.argv[1] if len(sys.argv) > 1 else FOLDER):
        print(f"{path}: {path.stat().st_size / 1000:.1f} kB")
