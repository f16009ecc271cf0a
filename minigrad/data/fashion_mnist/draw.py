"""Draw the small Fashion-MNIST that ships with minigrad out of the full one.

::

    python -m minigrad.data.fashion_mnist.draw SOURCE_FOLDER

SOURCE_FOLDER holds the four gzip IDX files of Fashion-MNIST under their original names; Debian's
package `dataset-fashion-mnist` installs them. The four files drawn have the same names and are
written next to this script: 500 training and 100 test images of each of the ten classes.

Every image of the source is handed a random ticket, and of each class the lowest tickets win. The
winners are kept in rounds, one image of each class at a time, so that label `i` is `i % 10` and the
first 10·n images of a file are a smaller balanced subset.
"""

import hashlib
import sys
from pathlib import Path

import numpy as np

from minigrad.data.idx import read_idx, write_idx

SEED = 2014  # the year of GoogLeNet
CLASSES = 10
PER_CLASS = {"train": 500, "t10k": 100}
SOURCE_SHA256 = """
b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7  train-images-idx3-ubyte.gz
0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056  train-labels-idx1-ubyte.gz
cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa  t10k-images-idx3-ubyte.gz
8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05  t10k-labels-idx1-ubyte.gz
"""


def draw(source: Path, target: Path) -> None:
    """Draw the subset out of the folder `source` and write it to the folder `target`.

    Raises
    ------
    ValueError
        When a source file is not, byte for byte, the one in Debian's package.
    """
    for line in SOURCE_SHA256.strip().splitlines():
        expected, name = line.split()
        found = hashlib.sha256((source / name).read_bytes()).hexdigest()
        if found != expected:
            raise ValueError(
                f"draw: {source / name} has SHA-256 {found}, but the one in Debian's package "
                f"has {expected}"
            )

    for split, per_class in PER_CLASS.items():
        images_name, labels_name = f"{split}-images-idx3-ubyte.gz", f"{split}-labels-idx1-ubyte.gz"
        images, labels = read_idx(source / images_name), read_idx(source / labels_name)
        winners = choose(labels, per_class)
        write_idx(target / images_name, images[winners])
        write_idx(target / labels_name, labels[winners])


def choose(labels: np.ndarray, per_class: int) -> np.ndarray:
    """Return the indices of `per_class` images of each class: classes 0 to 9 in turn, in rounds.

    The tickets are the raw output of PCG64, whose stream NumPy promises never to change.

    Parameters
    ----------
    labels
        (N,), the class of each image, 0 to 9.
    per_class
        How many images of each class to choose.

    Returns
    -------
    indices
        (10 · per_class,).

    Examples
    --------
    >>> labels = np.arange(100) // 10
    >>> labels[choose(labels, per_class=2)]
    array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    """
    tickets = np.random.PCG64(SEED).random_raw(len(labels))
    by_ticket = np.argsort(tickets, kind="stable")
    winners = [by_ticket[labels[by_ticket] == kind][:per_class] for kind in range(CLASSES)]
    return np.stack(winners, axis=1).ravel()  # (per_class, classes) → one round after another


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m minigrad.data.fashion_mnist.draw SOURCE_FOLDER")
    draw(source=Path(sys.argv[1]), target=Path(__file__).parent)
