"""What the engine says of one image, by its loops: what answers are held against.

The loops need no compiling, and are the definition. Sizes are small, so that a case that fails can
be followed by hand; `h` and `w` are how far an image is larger than the kernel.
"""

from typing import Any

import numpy as np
from hypothesis import strategies as st

import minigrad
from minigrad import functional as F

__all__ = ["SIZES", "col2im", "conv2d", "im2col", "input_gradient"]

SIZES = {
    "C": st.integers(1, 2),
    "h": st.integers(0, 2),
    "w": st.integers(0, 3),
    "kh": st.integers(1, 2),
    "kw": st.integers(1, 3),
}


def conv2d(x: np.ndarray, weight: np.ndarray, stride: int = 1, padding: Any = 0) -> np.ndarray:
    """Convolve (C, H, W) with (O, C, kh, kw)."""
    with minigrad.kernels("naive"):
        out = F.conv2d(minigrad.tensor(x[None]), minigrad.tensor(weight), None, stride, padding)
    return out.data[0]


def input_gradient(
    gradient: np.ndarray, weight: np.ndarray, shape: tuple[int, ...], stride: int = 1
) -> np.ndarray:
    """Return the gradient of x, of this shape (C, H, W), from that of the output."""
    x = minigrad.tensor(np.zeros((1, *shape)), requires_grad=True)
    with minigrad.kernels("naive"):
        F.conv2d(x, minigrad.tensor(weight), None, stride).backward(gradient[None])
    return x.grad.data[0]


def im2col(x: np.ndarray, kernel_size: tuple[int, int], stride: int = 1) -> np.ndarray:
    """Return the columns of (C, H, W)."""
    with minigrad.kernels("naive"):
        return F.im2col(minigrad.tensor(x[None]), kernel_size, stride).data[0]


def col2im(
    cols: np.ndarray, shape: tuple[int, ...], kernel_size: tuple[int, int], stride: int = 1
) -> np.ndarray:
    """Return the image (C, H, W) that columns are added up to."""
    with minigrad.kernels("naive"):
        return F.col2im(minigrad.tensor(cols[None]), shape[1:], kernel_size, stride).data[0]
