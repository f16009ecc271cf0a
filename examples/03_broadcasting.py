# %% [markdown]
# # 03 Broadcasting and its backward
#
# **Question.** NumPy adds a row of 3 numbers to a table of 4 × 3: it reads the row four times.
# The result has 12 numbers, and so has its gradient. What is the gradient of the row?
#
# **Predict**: b = (10, 20, 30) is added to a 4 × 3 table, and the gradient of the result is
# 1 everywhere. Is b.grad (1, 1, 1), (4, 4, 4) or a 4 × 3 table of ones?

# %%
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]) if "__file__" in globals() else "..")
import numpy as np
from matplotlib import pyplot as plt

import minigrad
from examples.exercises import e03
from examples.grids import arrow, frame, grid
from examples.lesson import RED, exercise, picture

x = minigrad.tensor(np.zeros((4, 3)), requires_grad=True)
b = minigrad.tensor(np.array([10.0, 20.0, 30.0]), requires_grad=True)
y = x + b
y.backward(np.ones((4, 3)))
print("b.grad =", b.grad.data, "and x.grad has shape", x.grad.shape)
assert b.grad.data.tolist() == [4, 4, 4]

# %% [markdown]
# (4, 4, 4). b[0] went into four results. Move it by h and all four move by h: what depends on
# them feels it four times. That is lesson 02's rule, the gradient of a value is the **sum over
# its uses**, and broadcasting is nothing but using a value many times.
#
# With any other gradient G, each number of b gets the sum of its column. As matrices: the
# copying is multiplication by a matrix of zeros and ones, and backward multiplies by its
# transpose. The transpose of copying is adding up.

# %%
G = np.array([[1.0, -2, 0], [3, 1, 2], [0, 0, 1], [-1, 4, 2]])
b.grad = None
(x + b).backward(G)
copying = np.tile(np.eye(3), (4, 1))  # 12 × 3: one 1 in each row, b's number to read
assert np.array_equal(copying @ b.data, np.broadcast_to(b.data, (4, 3)).ravel())
assert np.array_equal(copying.T @ G.ravel(), b.grad.data)
print("for another gradient b.grad =", b.grad.data)

# %% [markdown]
# Which axes to sum is read off the two shapes, aligned at the right as NumPy aligns them:
#
#     result     4 × 3          4 × 3          8 × 4 × 3
#     operand        3          4 × 1              4 × 1
#     sum over   axis 0         axis 1         axes 0 and 2
#
# An axis the operand lacks is summed and dropped; an axis where it has length 1 is summed and
# stays, with length 1. A gradient always has the shape of what it is the gradient of.

# %%
for shape, axes in (((3,), (0,)), ((4, 1), (1,)), ((1, 3), (0,)), ((), (0, 1))):
    c = minigrad.tensor(np.ones(shape), requires_grad=True)
    (x + c).backward(G)
    assert np.array_equal(c.grad.data, G.sum(axis=axes).reshape(shape))
    print(f"operand of shape {shape!s:7} sums over {axes!s:7} its gradient: {c.grad.data.tolist()}")

# %% [markdown]
# Multiplication first applies its own rule, gradient times the other factor, in the full
# shape, and then sums. Summing first would be wrong: every use has its own factor.

# %%
table = minigrad.tensor(np.arange(12.0).reshape(4, 3))
scale = minigrad.tensor(np.ones(3), requires_grad=True)
(table * scale).backward(G)
assert np.array_equal(scale.grad.data, (G * table.data).sum(axis=0))
assert not np.array_equal(scale.grad.data, G.sum(axis=0) * table.data.sum(axis=0))

# %% [markdown]
# **A trap.** Broadcasting happens without being asked. Predictions of shape (N, 1) minus
# targets of shape (N,) make a table of N × N: every prediction against every target. Nothing
# fails; the network learns to predict the mean.

# %%
predicted = minigrad.tensor(np.array([[1.0], [2.0], [3.0]]), requires_grad=True)
target = minigrad.tensor(np.array([1.0, 2.0, 3.0]))
meant = ((predicted.reshape(3) - target) ** 2).mean()
trapped = ((predicted - target) ** 2).mean()
trapped.backward()
print(f"perfect predictions: loss {float(meant):g}; in the trap {float(trapped):.2f},", end=" ")
print("with gradient", *predicted.grad.data.ravel().round(2), "towards the mean")
assert float(meant) == 0
assert np.array_equal(np.sign(predicted.grad.data.ravel()), [-1, 0, 1])

# %%
figure, panels = plt.subplots(2, 2, figsize=(10, 5.6), height_ratios=(1, 4))
figure.get_layout_engine().set(hspace=0.12)
(small, copied), (total, parts) = panels.T[0], panels.T[1]
grid(small, b.data, size=12)
grid(copied, np.broadcast_to(b.data, (4, 3)), size=12)
grid(total, b.grad.data, size=12)
grid(parts, G, size=12)
small.set_title("Forward copies: each row gets b", fontsize=13)
total.set_title("Backward adds up: b.grad", fontsize=13)
copied.set_xlabel("what is added to x", fontsize=12)
parts.set_xlabel("the gradient G of the result", fontsize=12)
for one, many in ((small, copied), (total, parts)):
    frame(one, 0, 1)
    frame(many, 0, 1, height=4)
arrow(small, (1, 0.5), copied, (1, -0.5))
arrow(parts, (1, -0.5), total, (1, 0.5))
copied.text(2.7, 1.5, "20, four times", fontsize=12, color=RED)
column = " + ".join(f"{g:g}" for g in G[:, 1]).replace("-", "−")
parts.text(2.7, 1.5, f"{column} = {b.grad.data[1]:g}", fontsize=12, color=RED)
picture(figure, "03-broadcasting")

# %% [markdown]
# ## Exercises


# %%
def unbroadcast(gradient, shape):
    """Return the gradient of an operand of this shape, given that of the broadcast result."""
    return gradient.sum(axis=0)


def multiply_gradients(a, b, gradient):
    """Return the gradients of a and of b, given that of a * b; a or b may be broadcast."""
    raise NotImplementedError


def centre_gradient(gradient):
    """Return the gradient of x, (N, C), given that of y = x − x.mean(axis=0)."""
    raise NotImplementedError


exercise(e03.unbroadcast, unbroadcast)
exercise(e03.multiply_gradients, multiply_gradients)
exercise(e03.centre_gradient, centre_gradient)
