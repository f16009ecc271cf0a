# %% [markdown]
# # 05 im2col, or convolution as one matrix product
#
# **Question.** Lesson 04's loops take minutes for one layer. Machines multiply matrices faster
# than they do anything else. Can a convolution be *one* matrix product?
#
# One output pixel is Σ window · kernel: an inner product of two short lists. All outputs of one
# kernel are inner products of the same list with many windows, and that is what a matrix
# product does. **Predict**: image 4 × 4, kernel 2 × 2. Write each window into a column: how
# large is the matrix, and how often does a pixel from the middle stand in it?

# %%
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]) if "__file__" in globals() else "..")
import numpy as np
from matplotlib import pyplot as plt

import minigrad
from examples.exercises import e05
from examples.grids import cells, frame, sheet, way
from examples.lesson import BLUE, GREY, RED, exercise, picture
from minigrad import functional as F


def im2col(x, kernel_size):
    """(C, H, W) gives (C·kh·kw, oh·ow): column i·ow + j is what window (i, j) sees."""
    (C, H, W), (kh, kw) = x.shape, kernel_size
    oh, ow = H - kh + 1, W - kw + 1
    cols = np.empty((C, kh, kw, oh, ow))
    for u, v in np.ndindex(kh, kw):  # all windows at once: what their corner (u, v) sees
        cols[:, u, v] = x[:, u : u + oh, v : v + ow]
    return cols.reshape(C * kh * kw, oh * ow)


image = np.arange(1.0, 17).reshape(1, 4, 4)
weight = np.array([[[[-1.0, 1], [0, 2]]]])
cols = im2col(image, (2, 2))
print("columns:", cols.shape, "and 6 stands in them", int((cols == 6).sum()), "times")
product = weight.reshape(1, 4) @ cols
with minigrad.kernels("naive"):
    out = F.conv2d(minigrad.tensor(image[None]), minigrad.tensor(weight))
    assert np.array_equal(F.im2col(minigrad.tensor(image[None]), 2).data[0], cols)
assert np.array_equal(product.reshape(3, 3), out.data[0, 0])

# %% [markdown]
# 4 × 9, and four times. weight · columns, (1 × 4) · (4 × 9), is the output as one row of 9;
# `reshape` lays it out as 3 × 3. With C channels the columns are C times as tall, with O
# kernels the weight has O rows:
#
#     out (O, oh·ow)  =  weight (O, C·kh·kw)  @  cols (C·kh·kw, oh·ow)
#
# The order inside a column (channel, then kernel row, then kernel column) is that of
# `weight.reshape(O, −1)`. If the two orders differ, numbers meet strangers and nothing fails.

# %%
rng = np.random.default_rng(0)
x, w = rng.standard_normal((3, 8, 6)), rng.standard_normal((5, 3, 3, 2))
with minigrad.kernels("naive"):
    engine = F.conv2d(minigrad.tensor(x[None]), minigrad.tensor(w))
assert np.allclose((w.reshape(5, -1) @ im2col(x, (3, 2))).reshape(5, 6, 5), engine.data[0])
print("3 channels, 5 kernels of 3 × 2:", w.reshape(5, -1).shape, "@", im2col(x, (3, 2)).shape)

# %% [markdown]
# **What is won.** GoogLeNet's second convolution again, 347 million multiply-adds, by the
# engine's im2col and product (`minigrad.kernels("vectorized")`), and a small one by its loops:

# %%
x = minigrad.tensor(rng.standard_normal((1, 64, 56, 56)).astype(np.float32))
w = minigrad.tensor(rng.standard_normal((192, 64, 3, 3)).astype(np.float32))
with minigrad.kernels("vectorized"):
    start = time.perf_counter()
    F.conv2d(x, w, padding=1)
    rate = 192 * 56 * 56 * 64 * 9 / (time.perf_counter() - start)
    bytes_ = F.im2col(x, 3, padding=1).data.nbytes
with minigrad.kernels("naive"):
    start = time.perf_counter()
    F.conv2d(x[:, :4, :10, :10], w[:4, :4])
    loops = 4 * 8 * 8 * 4 * 9 / (time.perf_counter() - start)
print(f"loops {loops / 1e6:.2f}, one product {rate / 1e6:,.0f} million multiply-adds a second:")
print(f"{rate / loops:,.0f} times as many")

# %% [markdown]
# **What it costs.** Memory: a pixel stands in as many columns as windows see it, nine for
# 3 × 3. Kernels that want to be faster still build the columns in tiles and throw them away
# (lesson 16). For a 1 × 1 convolution each window sees one pixel: the columns *are* the image,
# nothing is copied, and GoogLeNet has many of those.

# %%
print(f"image {x.data.nbytes / 1e6:.1f} MB, columns {bytes_ / 1e6:.1f} MB")
assert bytes_ == 9 * x.data.nbytes
assert np.array_equal(im2col(x.data[0], (1, 1)), x.data[0].reshape(64, -1))

# %%
figure, axes = plt.subplots(figsize=(11.5, 4.9))
sheet(axes, 24, 9.6)
pale = {"cmap": "YlGnBu", "vmin": -2, "vmax": 40}
cells(axes, image[0], (3, 0), "", "the image, 4 × 4", 12, **pale)
cells(axes, cols, (3, 8), "", "", 12, **pale)
cells(axes, weight.reshape(1, 4), (8.2, 2), "the weights, 1 × 4", "times each column", 12)
cells(axes, product, (8.2, 8), "", "are the output, 1 × 9", 12)
cells(axes, product.reshape(3, 3), (3.5, 20), "laid out, 3 × 3", "", 12)
axes.text(12, -0.1, "the columns, 4 × 9: each is what one window sees", ha="center", fontsize=11)
ways = ((0, 0), (0.5, 2.5), -0.35, BLUE), ((1, 2), (3.5, 4.2), -0.5, RED)
for (i, j), start, bend, colour in ways:
    place = 3 * i + j
    frame(axes, 3 + i, j, 2, 2, colour)
    frame(axes, 3, 8 + place, 4, 1, colour)
    frame(axes, 8.2, 8 + place, 1, 1, colour)
    frame(axes, 3.5 + i, 20 + j, 1, 1, colour)
    way(axes, start, (8 + place, 2.5), colour, bend)
    way(axes, (8 + place, 6.5), (8 + place, 7.7), colour)
way(axes, (16.5, 8.2), (21, 6.6), GREY, 0.35)
figure.suptitle("im2col: each window becomes a column, and one product does the rest", fontsize=14)
picture(figure, "05-im2col")

# %% [markdown]
# ## Exercises


# %%
def columns(x, kernel_size, stride):
    """Return (C·kh·kw, oh·ow) of x, (C, H, W); kernel_size is (kh, kw)."""
    raise NotImplementedError


def product(cols, weight, size):
    """Return (O, oh, ow), given cols (C·kh·kw, oh·ow), weight (O, C, kh, kw), size (oh, ow)."""
    return (weight.reshape(-1, len(weight)).T @ cols).reshape(len(weight), *size)


def copies(length, kernel, stride):
    """Return an array: how many windows see each pixel of an axis; the last may see none."""
    raise NotImplementedError


exercise(e05.columns, columns)
exercise(e05.product, product)
exercise(e05.copies, copies)
