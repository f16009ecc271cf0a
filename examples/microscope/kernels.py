"""The kernels to choose from, each in every size that it has a meaning in."""

import math
from typing import NamedTuple

import numpy as np

SIZES = (1, 2, 3, 4, 5)


class Kernel(NamedTuple):
    """A square kernel under a name.

    Attributes
    ----------
    name : str
        Short: kernels of one name are one kernel in several sizes.
    title, says : str
        What a menu calls it, and one line on what it does.
    values : array (k, k)
        float32.
    """

    name: str
    title: str
    says: str
    values: np.ndarray

    @property
    def size(self) -> int:
        """How many rows and columns it has."""
        return len(self.values)


def presets() -> list[Kernel]:
    """List the kernels to choose from.

    Edges are found as Sobel did, with the binomial coefficients that his 3×3 generalises to: a
    difference along one axis, a weighted mean along the other (I. Sobel and G. Feldman, "An
    isotropic 3×3 image gradient operator", 1968).

    Examples
    --------
    >>> [k.size for k in presets() if k.name == "sharpen"]
    [3, 5]
    >>> next(k for k in presets() if k.name == "edges-vertical" and k.size == 3).values
    array([[-1.,  0.,  1.],
           [-2.,  0.,  2.],
           [-1.,  0.,  1.]], dtype=float32)
    """
    made = []
    for k in SIZES:
        centre, arms = np.zeros((k, k)), np.zeros((k, k))
        centre[(k - 1) // 2, (k - 1) // 2] = 1
        arms[(k - 1) // 2, :] = arms[:, (k - 1) // 2] = 1
        made.append(("identity", "identity", "copies the pixel in its middle", centre))
        if k == 1:
            continue
        sobel = np.outer(_binomial(k - 1), np.convolve(_binomial(k - 2), [-1, 1]))
        made += [
            ("blur", "blur", "the mean of the window", np.full((k, k), 1 / k**2)),
            ("edges-vertical", "edges | (Sobel)", "right minus left: vertical edges", sobel),
            ("edges-horizontal", "edges — (Sobel)", "below minus above: flat edges", sobel.T),
        ]
        if k % 2:
            sharp = 2 * k * centre - arms
            made.append(("sharpen", "sharpen", "the middle, less what is around it", sharp))
    return [Kernel(*words, values.astype(np.float32)) for *words, values in made]


def own(text: str) -> Kernel:
    """Read a kernel from its numbers, row by row.

    Raises
    ------
    ValueError
        If it is not 1, 4, 9, 16 or 25 finite numbers.

    Examples
    --------
    >>> own("0 1 -1 0").values
    array([[ 0.,  1.],
           [-1.,  0.]], dtype=float32)
    """
    words = text.replace(",", " ").split()
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        names = ", ".join(dict.fromkeys(kernel.name for kernel in presets()))
        raise ValueError(f"the kernel must be {names}, or numbers; got {text!r}") from None
    size = math.isqrt(len(numbers))
    if size not in SIZES or size**2 != len(numbers):
        counts = ", ".join(str(k**2) for k in SIZES)
        raise ValueError(f"a kernel must have {counts} numbers, row by row; got {len(numbers)}")
    if not all(abs(number) <= LARGEST for number in numbers):
        raise ValueError(f"a kernel's numbers must be from −{LARGEST} to {LARGEST}; got {text!r}")
    values = np.array(numbers, np.float32).reshape(size, size)
    return Kernel("own", "your own", "the numbers that the page was made with", values)


LARGEST = 1000  # a number that a cell of the page has room for


def _binomial(n: int) -> list[int]:
    return [math.comb(n, i) for i in range(n + 1)]
