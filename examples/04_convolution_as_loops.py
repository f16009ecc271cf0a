# %% [markdown]
# # 04 Convolution as loops
#
# **Question.** What does a convolution compute, number by number, and how does a gradient get
# back through it?
#
# A window slides over an image. At each place, what it sees is multiplied by a kernel, number
# by number, and summed: that is one pixel of the output. **Predict**: an image of 10 × 10 and
# a kernel of 3 × 3. How large is the output? And if the window moves two pixels at a time?

# %%
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]) if "__file__" in globals() else "..")
import numpy as np
from matplotlib import pyplot as plt

import minigrad
from examples.exercises import e04
from examples.grids import cells, frame, sheet, way
from examples.lesson import RED, exercise, picture
from minigrad import functional as F
from minigrad.data import FashionMNIST

boot, _ = FashionMNIST(train=False)[9]
with minigrad.kernels("naive"):  # the engine's loops; its fast kernels come in lesson 16
    small = F.adaptive_avg_pool2d(minigrad.tensor(boot[None, :, 2:27, 2:27] / 255), 10)
image = np.round(9 * small.data[0])  # (1, 10, 10), digits from 0 to 9
kernel = np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])  # right minus left: upright edges


def conv2d(x, weight, stride=1):
    """(C, H, W) with (O, C, kh, kw) gives (O, oh, ow)."""
    (C, H, W), (O, _, kh, kw) = x.shape, weight.shape
    oh, ow = (H - kh) // stride + 1, (W - kw) // stride + 1
    out = np.zeros((O, oh, ow))
    for o, i, j in np.ndindex(O, oh, ow):  # for each output pixel
        for c, u, v in np.ndindex(C, kh, kw):  # for all that its window sees
            out[o, i, j] += x[c, i * stride + u, j * stride + v] * weight[o, c, u, v]
    return out


weight = kernel[None, None]
out = conv2d(image, weight)
print("3 × 3 over", image.shape[1:], "gives", out.shape[1:], end="; ")
print("with stride 2", conv2d(image, weight, stride=2).shape[1:])
with minigrad.kernels("naive"):
    engine = F.conv2d(minigrad.tensor(image[None]), minigrad.tensor(weight))
assert np.array_equal(engine.data[0], out)

# %% [markdown]
# 8 × 8, and 4 × 4: the window's left edge can stand at 0 … 10 − 3. In general an axis of length
# L gives ⌊(L + 2·padding − dilation·(k − 1) − 1) / stride⌋ + 1 outputs. *Padding* puts zeros
# around the image (1 keeps the size for k = 3); *dilation* leaves gaps between the pixels that
# a window sees, so that k of them reach over dilation·(k − 1) + 1.
#
# A colour image has C channels. The window sees all of them, the kernel has C layers, and all
# products go into one sum; O kernels give O outputs. So the weight is (O, C, kh, kw).
# (Mathematicians flip the kernel first. Networks learn it, so nobody bothers.)

# %%
rng = np.random.default_rng(0)
x, w = rng.standard_normal((3, 9, 7)), rng.standard_normal((4, 3, 3, 2))
xt, wt = (minigrad.tensor(array, requires_grad=True) for array in (x[None], w))
with minigrad.kernels("naive"):
    engine = F.conv2d(xt, wt, stride=2)
assert np.allclose(engine.data[0], conv2d(x, w, stride=2))
print("3 channels, 4 kernels:", x.shape, "and", w.shape, "give", engine.shape[1:])

# %% [markdown]
# **Backward.** Every product out += x · weight knows where its gradient goes: the pixel gets
# the output's gradient times the weight, the weight gets it times the pixel, and as pixels and
# weights are used many times, all that is *added up*. The same loops, the same products:


# %%
def conv2d_gradients(x, weight, gradient, stride=1):
    x_gradient, weight_gradient = np.zeros_like(x), np.zeros_like(weight)
    for o, i, j in np.ndindex(gradient.shape):
        for c, u, v in np.ndindex(weight.shape[1:]):
            y, z = i * stride + u, j * stride + v
            x_gradient[c, y, z] += gradient[o, i, j] * weight[o, c, u, v]
            weight_gradient[o, c, u, v] += gradient[o, i, j] * x[c, y, z]
    return x_gradient, weight_gradient


G = rng.standard_normal(engine.shape)
engine.backward(G)
for ours, theirs in zip(conv2d_gradients(x, w, G[0], stride=2), (xt.grad, wt.grad), strict=True):
    assert np.allclose(ours, theirs.data.reshape(ours.shape))
print("the gradients by loops are the engine's")

# %% [markdown]
# How long does that take? O · oh · ow · C · kh · kw multiply-adds, one by one. GoogLeNet's
# second convolution makes 192 channels of 56 × 56 from 64, with 3 × 3.

# %%
start = time.perf_counter()
conv2d(x, w)
rate = 4 * 7 * 6 * 3 * 3 * 2 / (time.perf_counter() - start)
products = 192 * 56 * 56 * 64 * 3 * 3
print(f"{products:,} multiply-adds, {rate / 1e6:.1f} million a second: {products / rate / 60:.0f}",
      "minutes for one layer and one image. Lesson 05 repairs that.")  # fmt: skip

# %%
i, j, window = 3, 2, image[0, 3:6, 2:5]
grey = {"cmap": "gray", "vmin": -2, "vmax": 9}
figure, axes = plt.subplots(figsize=(12, 4.6))
sheet(axes, 32, 11.6)
cells(axes, image[0], (1, 0), "the image, 10 × 10", **grey)
cells(axes, window, (1 + i, 12), "what a window sees", **grey)
cells(axes, kernel, (1 + i, 16), "the kernel")
cells(axes, window * kernel + 0.0, (1 + i, 20), "products")
cells(axes, out[0], (2, 24), "the output, 8 × 8", "one number for each place of a window")
for place, sign in ((15, "×"), (19, "=")):
    axes.text(place, i + 2, sign, fontsize=16, ha="center", va="center")
for row, column, side in ((1 + i, j, 3), (1 + i, 12, 3), (1 + i, 20, 3), (2 + i, 24 + j, 1)):
    frame(axes, row, column, side, side)
axes.hlines((i + 0.5, i + 3.5), j + 2.5, 11.5, colors=RED, linewidth=1.2, linestyle=(0, (4, 3)))
axes.text(21, i + 4.3, f"their sum is {out[0, i, j]:g}", color=RED, ha="center", fontsize=12)
way(axes, (22.5, i + 2), (23.5, i + 2))
assert out[0, i, j] == (window * kernel).sum()
figure.suptitle("Convolution: what the window sees, times the kernel, summed", fontsize=14)
picture(figure, "04-loops")

# %% [markdown]
# ## Exercises


# %%
def output_length(length, kernel, stride, padding, dilation):
    """Return how many outputs an axis gives."""
    return (length + 2 * padding - kernel) / stride


def convolve(x, weight, stride, padding):
    """Convolve (C, H, W) with (O, C, kh, kw) → (O, oh, ow), zeros around x. Loops are fine."""
    raise NotImplementedError


def input_gradient(gradient, weight, shape, stride):
    """Return the gradient of x, whose shape is (C, H, W), from that of the output, no padding."""
    raise NotImplementedError


exercise(e04.output_length, output_length)
exercise(e04.convolve, convolve)
exercise(e04.input_gradient, input_gradient)
