# %% [markdown]
# # 08 Softmax, cross entropy, and why they are fused
#
# A classifier gives a score z[c] to every class. Softmax makes them probabilities, and the loss
# says how little the true class y got:
#
#     p[c] = exp(z[c]) / Σ exp(z[k])          loss = −log p[y]
#
# Two lines of NumPy. Why does every engine have one operation for the two?

# %%
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]) if "__file__" in globals() else "..")

import numpy as np
from matplotlib import pyplot as plt

import minigrad
from examples.exercises import e08
from examples.lesson import BLUE, GREY, ORANGE, RED, exercise, picture
from minigrad import functional as F
from minigrad import nn, optim
from minigrad.data import FashionMNIST

# %%
WAYS = {
    "as written": lambda z, y: -(z.exp() / z.exp().sum()).log()[y],
    "in two steps": lambda z, y: (
        -F.softmax(z, axis=0).log()[y]
    ),  # takes the largest score off first
    "in one": lambda z, y: F.cross_entropy(z, y),
}

# %% [markdown]
# ## How far can the true class lie behind?
#
# Scores [0, m] and true class 0: the loss is log(1 + exp(m)), for large m nearly m itself.
# *Predict*: in float32, from which m on does each of the three fail?


# %%
def loss_and_slope(way, m):
    """Give the loss of scores [0, m] for class 0, and its gradient by the score of class 0."""
    z = minigrad.tensor(np.float32([0, m]), requires_grad=True)
    loss = way(z, 0)
    loss.backward()
    return loss.item(), z.grad.data[0]


margins = np.arange(0, 125, dtype=np.float32)
curves = {}
for name, way in WAYS.items():
    with np.errstate(all="ignore"):
        curves[name] = np.array([loss_and_slope(way, m) for m in margins]).T
    for what, numbers in zip(("loss", "slope"), curves[name], strict=True):
        wrong = ~np.isfinite(numbers)
        said = f"{numbers[wrong][0]} from m = {margins[wrong][0]:.0f} on" if wrong.any() else "good"
        print(f"{name:12} {what:5} {said}")
assert np.allclose(curves["in one"][0], np.log1p(np.exp(margins.astype(np.float64))))

# %% [markdown]
# * exp(89) is more than the largest float32, 3.4·10³⁸. 1/∞ is 0, and ∞/∞ is NaN.
# * With the largest score subtracted, which changes no probability, nothing overflows. But the
#   small probability *underflows*: exp(−104) rounds to 0, and log 0 = −∞. The gradient is lost
#   before that: on its way it is 1/p, and 1/exp(−89) is ∞.
# * In one piece, −log p[y] = log Σ exp(z[k] − max) − (z[y] − max) takes the logarithm of a sum that
#   is at least 1: no small number is made.
#
# On the way back 1/p and softmax's own p cancel on paper, before a number is computed:
#
#     ∂loss/∂z[c] = p[c] − q[c]               q[c] = 1 for the true class, else 0
#
# The gradient is *what was said minus what is true*, and nothing in it exceeds 1. Here is a linear
# classifier, trained for a second, and the image it is most wrong about.

# %%
train, test = FashionMNIST(train=True), FashionMNIST(train=False)
flat = [minigrad.tensor(d.images.reshape(-1, 784) / np.float32(255)) for d in (train, test)]
minigrad.manual_seed(0)
model = nn.Linear(784, 10)
optimizer = optim.SGD(model.parameters(), lr=0.2, momentum=0.9)
for _ in range(40):
    loss = F.cross_entropy(model(flat[0]), train.labels)
    model.zero_grad()
    loss.backward()
    optimizer.step()

scores = model(flat[1]).detach()
losses = F.cross_entropy(scores, test.labels, reduction="none").data
i = int(losses.argmax())
z = minigrad.tensor(scores.data[i], requires_grad=True)
F.cross_entropy(z, test.labels[i]).backward()
p, q = F.softmax(z, axis=0).data, np.eye(10)[test.labels[i]]
print(f"test loss {losses.mean():.2f}; that of image {i} is {losses[i]:.2f}")
assert np.allclose(z.grad.data, p - q, atol=1e-6)

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 4.2))
left.plot(margins, curves["in one"][0], color=BLUE, lw=7, alpha=0.35)
for name, colour in (("in two steps", ORANGE), ("as written", RED)):
    end = np.isfinite(curves[name][0]).sum() - 1
    drawn = margins[: end + 1], curves[name][0, : end + 1]
    left.plot(*drawn, "X-", color=colour, markevery=[end], ms=11)
    left.text(drawn[0][-1] + 4, drawn[1][-1] - 7, f"{name}: ∞", color=colour)
left.text(105, 116, "in one: never fails", color=BLUE, ha="right")
left.set(title="Three ways to the same loss, in float32", xlim=(0, 150), ylim=(0, 128))
left.set(xlabel="how far the true class's score lies behind", ylabel="loss")
rows, names = np.arange(10), test.classes
right.barh(rows - 0.2, p, 0.4, color=GREY)
right.barh(rows + 0.2, z.grad.data, 0.4, color=np.where(q, RED, BLUE))
right.set_title(f"A {names[test.labels[i]].lower()} taken for a {names[p.argmax()].lower()}")
right.set(xlim=(-1.05, 1.05), yticks=rows, yticklabels=names, xlabel="p, and the gradient p − q")
right.text(p.max() - 0.02, p.argmax() - 0.55, "probability p", color=GREY, ha="right")
right.text(0.04, p.argmax() + 0.75, "gradient p − q: down", color=BLUE)
right.text(-0.98, test.labels[i] - 0.15, "p − q of the truth: up", color=RED)
right.invert_yaxis()
picture(figure, "08-softmax")

# %% [markdown]
# ## Exercises


# %%
def cross_entropy(z, y):
    """Give −log p[y] for scores z (C,) of any size and a class y."""
    p = np.exp(z) / np.exp(z).sum()
    return -np.log(p[y])


exercise(e08.scores_may_be_large, cross_entropy)


# %%
def cross_entropy_gradient(z, y):
    """Give the gradient by z (N, C) of the *mean* loss of N rows with the classes y (N,)."""
    raise NotImplementedError


exercise(e08.what_was_said_minus_what_is_true, cross_entropy_gradient)


# %%
def softmax_gradient(p, g):
    """Give the gradient by z (C,), where g (C,) is that by p = softmax(z) (C,)."""
    raise NotImplementedError


exercise(e08.probabilities_share_one_sum, softmax_gradient)
