# %% [markdown]
# # 06 col2im, the transpose, and the weight gradient
#
# **Question.** Forward is im2col and a product, out = weight @ cols. Backward has the gradient G
# of out and wants those of the weights and of the image. What undoes im2col?
#
# Nothing does, and nothing needs to: im2col copied the pixel (1, 1) of a 4 × 4 image into four
# columns (2 × 2 windows), and four gradients come back for it. **Predict** which is the pixel's
# gradient: the last of them, their mean, or their sum?

# %%
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]) if "__file__" in globals() else "..")
import numpy as np
from matplotlib import pyplot as plt

import minigrad
from examples.exercises import e06
from examples.grids import cells, frame, sheet, way
from examples.lesson import RED, exercise, picture
from minigrad import functional as F

image = np.arange(1.0, 17).reshape(1, 1, 4, 4)
weight = np.array([[[[-1.0, 1], [2, 3]]]])
G = np.array([[1.0, -1, 2], [3, -1, 0], [0, 1, 1]])  # the gradient of the 3 × 3 output
x, w = (minigrad.tensor(array, requires_grad=True) for array in (image, weight))
with minigrad.kernels("naive"):
    F.conv2d(x, w).backward(G.reshape(1, 1, 3, 3))
    cols = F.im2col(minigrad.tensor(image), 2).data[0]  # (4, 9)

# %% [markdown]
# First the product. For out = W @ cols, every out[o, l] = Σₖ W[o, k] · cols[k, l]. So W[o, k] gets
# Σₗ G[o, l] · cols[k, l], and cols[k, l] gets Σₒ W[o, k] · G[o, l]. As matrices:
#
#     gradient of W     = G @ colsᵀ       (O, L) · (L, K)
#     gradient of cols  = Wᵀ @ G          (K, O) · (O, L)
#
# The shapes leave no other choice, which is a good way to remember it.

# %%
to_weight = G.reshape(1, 9) @ cols.T
to_cols = weight.reshape(1, 4).T @ G.reshape(1, 9)
assert np.array_equal(to_weight.reshape(weight.shape), w.grad.data)
print("gradient of the weights:", to_weight[0])


# %% [markdown]
# Then the columns. Each entry goes back to the pixel that it was copied from, and where several
# arrive they are added, as ever (lessons 02 and 03). That is **col2im**.


# %%
def col2im(cols, shape, kernel_size):
    """(C·kh·kw, oh·ow) gives (C, H, W): im2col's loop, with += in place of a copy."""
    (C, H, W), (kh, kw) = shape, kernel_size
    oh, ow = H - kh + 1, W - kw + 1
    cols, x = cols.reshape(C, kh, kw, oh, ow), np.zeros(shape)
    for u, v in np.ndindex(kh, kw):
        x[:, u : u + oh, v : v + ow] += cols[:, u, v]
    return x


x_grad = col2im(to_cols, (1, 4, 4), (2, 2))
assert np.array_equal(x_grad, x.grad.data[0])
arrivals = [to_cols[2 * u + v, 3 * (1 - u) + 1 - v] for u, v in np.ndindex(2, 2)]
print("to the pixel (1, 1):", *arrivals, "together", x_grad[0, 1, 1])
assert sum(arrivals) == x_grad[0, 1, 1]

# %% [markdown]
# im2col is a linear map: a matrix A of zeros and ones, 36 × 16 here, one 1 in each row (the
# pixel to copy). col2im is Aᵀ, and **not** its inverse: sent there and back, a pixel comes home
# once for each window that sees it.

# %%
with minigrad.kernels("naive"):
    A = F.im2col(minigrad.tensor(np.eye(16).reshape(16, 1, 4, 4)), 2).data.reshape(16, 36).T
assert set(A.sum(axis=1)) == {1}
assert np.array_equal(A.T @ to_cols.ravel(), x_grad.ravel())
print("there and back, an image of ones is\n", col2im(cols * 0 + 1, (1, 4, 4), (2, 2))[0])

# %% [markdown]
# How do you test a transpose without writing the matrix? For every x and c
# ⟨im2col(x), c⟩ = ⟨x, col2im(c)⟩. Random x and c, two inner products: any wrong entry shows,
# in one line, for images of any size. (Random, since with ones everywhere many mistakes cancel.)

# %%
rng = np.random.default_rng(0)
a, c = rng.standard_normal((1, 3, 9, 7)), rng.standard_normal((3 * 2 * 3, 8 * 5))
with minigrad.kernels("naive"):
    there = float((F.im2col(minigrad.tensor(a), (2, 3)).data[0] * c).sum())
back = float((a[0] * col2im(c, (3, 9, 7), (2, 3))).sum())
print(f"⟨im2col(x), c⟩ = {there:.12f}, ⟨x, col2im(c)⟩ = {back:.12f}")
assert np.isclose(there, back)

# %% [markdown]
# The weight gradient is a convolution too: weight (u, v) meets pixel (i + u, j + v) in output
# (i, j), so its gradient is Σ G[i, j] · x[i + u, j + v]: the image convolved with G as kernel.

# %%
with minigrad.kernels("naive"):
    convolved = F.conv2d(minigrad.tensor(image), minigrad.tensor(G[None, None]))
assert np.array_equal(convolved.data, w.grad.data)

# %%
terms = " + ".join(f"{value:g}" for value in arrivals).replace("-", "−").replace("+ −", "− ")
figure, axes = plt.subplots(figsize=(11, 4.6))
sheet(axes, 20, 8)
cells(axes, G.reshape(1, 9), (1, 3), "G, the gradient of the output, as a row (1 × 9)", size=12)
cells(axes, weight.reshape(4, 1), (2.6, 1), "weightᵀ\n(4 × 1)", size=12)
cells(axes, to_cols, (2.6, 3), "", "the gradient of the columns: each weight times each of G", 12)
cells(axes, x_grad[0], (2.6, 15), "the gradient of the image", size=12)
frame(axes, 3.6, 16)
for u, v in np.ndindex(2, 2):
    frame(axes, 2.6 + 2 * u + v, 3 + 3 * (1 - u) + 1 - v)
way(axes, (11.6, 4.1), (14.4, 4.1))
red = {"color": RED, "ha": "center", "fontsize": 12}
axes.text(13, 3.8, "col2im", **red)
axes.text(7, 7.7, "framed: what comes back for pixel (1, 1)", **red)
axes.text(16.5, 7.1, f"{terms} = {x_grad[0, 1, 1]:g}", **red)
figure.suptitle("Backward: a product, then col2im adds up what im2col copied", fontsize=14)
picture(figure, "06-col2im")

# %% [markdown]
# ## Exercises


# %%
def scatter(cols, shape, kernel_size, stride):
    """Return col2im of cols (C·kh·kw, oh·ow): an array of this shape, (C, H, W)."""
    raise NotImplementedError


def weight_gradient(cols, gradient, shape):
    """Return the gradient, of shape (O, C, kh, kw): cols (N, C·kh·kw, L), gradient (N, O, L)."""
    raise NotImplementedError


def is_transpose(f, g, in_shape, out_shape):
    """Say whether g is the transpose of f, a linear map from in_shape to out_shape."""
    return np.allclose(g(f(np.ones(in_shape))), np.ones(in_shape))


exercise(e06.scatter, scatter)
exercise(e06.weight_gradient, weight_gradient)
exercise(e06.is_transpose, is_transpose)
