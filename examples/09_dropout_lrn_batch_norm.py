# %% [markdown]
# # 09 Dropout, local response norm, batch norm
#
# Three layers without a matrix. GoogLeNet has the first two, its successor the third. Each asks
# what a plain function of x does not: is this training or use? Who else is looked at?

# %%
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]) if "__file__" in globals() else "..")

import numpy as np

import minigrad
from examples.exercises import e09
from examples.lesson import BLUE, GREY, exercise, picture, plt
from minigrad import functional as F
from minigrad import nn
from minigrad.data import FashionMNIST

photos = FashionMNIST(train=False).images[:64].astype(np.float32) / 255  # (64, 1, 28, 28)

# %% [markdown]
# ## Dropout: zero by chance, and louder for it
#
# In training each number becomes 0 with probability p; the others are divided by 1 − p. *Predict*:
# what is the mean over many masks? Without the division?

# %%
photo = minigrad.tensor(photos[9, 0])
dropped = np.stack([F.dropout(photo, p=0.5, key=key).data for key in range(256)])
for count in (1, 16, 256):
    off = np.abs(dropped[:count].mean(axis=0) - photo.data).mean()
    print(f"mean of {count:3} masks: off by {off:.3f} a pixel")
assert abs(dropped.mean() / photo.data.mean() - 1) < 0.01

# %% [markdown]
# The mean is x. So in use nothing has to be done; without the division the next layer would see
# twice what it is used to. Backward goes through the same gates. The engine keeps no mask for that,
# only the key that the mask is computed from.

# %%
ones = minigrad.tensor(np.ones(8), requires_grad=True)
out = F.dropout(ones, p=0.5, key=3)
out.backward(np.ones(8))
print("out ", out.data, "\ngrad", ones.grad.data)
assert np.array_equal(out.data, ones.grad.data)

# %% [markdown]
# ## Local response norm: the loud damp their neighbours
#
#     out[c] = x[c] · scale[c]^−β       scale[c] = k + α/size · Σ x[i]² over `size` channels near c
#
# *Predict*: if only out[11] counts, what is the gradient of its neighbour x[12]?

# %%
loud = np.ones((1, 24))
loud[0, 12] = 4
damped = F.local_response_norm(minigrad.tensor(loud), size=5, alpha=1, beta=0.75).data
for alpha in (1e-4, 1.0):
    x = minigrad.tensor(loud, requires_grad=True)
    F.local_response_norm(x, size=5, alpha=alpha, beta=0.75).backward(np.eye(24)[11:12])
    own, other = x.grad.data[0, 11:13]
    print(f"alpha {alpha:g}: the gradient of x[11] is {own:.4f}, that of x[12] {other:.1e}")
    assert other < 0

# %% [markdown]
# x[12] is part of scale[11]. With the customary α = 10⁻⁴ this second term is tiny. An engine that
# forgets it trains all the same, and most tests do not notice: test with α = 1.
#
# ## Batch norm: every channel gets mean 0 and variance 1
# x̂ = (x − mean) / √(variance + ε), with the batch's mean and variance; out = weight · x̂ + bias.
# *Predict*: add 5 to x, or multiply it by 10. What happens to out, and so to the gradient?

# %%
weight = np.random.default_rng(0).standard_normal((6, 1, 5, 5))
features = F.conv2d(minigrad.tensor(photos), minigrad.tensor(weight.astype(np.float32))).data
x = minigrad.tensor(features.astype(np.float64), requires_grad=True)
out = F.batch_norm(x, None, None, training=True, eps=0.0)
moved = F.batch_norm(10 * x + 5, None, None, training=True, eps=0.0)
out.backward(np.random.default_rng(0).standard_normal(out.shape))
g = x.grad.data
sums = abs(g.sum()), abs((g * x.data).sum())
print(f"the gradient adds up to {sums[0]:.0e}, times x to {sums[1]:.0e}")
assert np.allclose(moved.data, out.data)
assert max(sums) < 1e-9

# %% [markdown]
# Nothing: a step along which out does not change has slope 0: the gradient adds up to 0 (a shift),
# and so does gradient · x (a scaling). Who takes mean and variance for constants gets neither.
#
# The price: in training an image's output depends on its batch. In use it must not; a running mean
# and variance, gathered in training, take over.

# %%
norm = nn.BatchNorm2d(6)
for training in (True, False):
    norm.train(training)
    few, many = (norm(minigrad.tensor(features[:n])).data[0] for n in (2, 64))
    print(f"training {training}: image 0 moves by {np.abs(few - many).max():.2f} between batches")

# %%
figure, (left, middle, right) = plt.subplots(1, 3, figsize=(12, 4.2))
left.imshow(np.block([[dropped[:n].mean(0) for n in two] for two in ((1, 4), (16, 256))]), vmax=1.2)
for k, words in enumerate(("one mask: half is 0", "mean of 4 masks", "of 16", "of 256")):
    left.text(28 * (k % 2) + 1, 28 * (k // 2) + 2.5, words, color="yellow", fontsize=10)
left.set_title("Dropout: the mean of many masks is x").axes.set_axis_off()
middle.bar(np.arange(24), loud[0], color=GREY, alpha=0.45, width=0.9)
middle.bar(np.arange(24), damped[0], color=BLUE, width=0.55)
middle.set(title="LRN: a loud channel damps its neighbours", xlabel="channel", ylabel="value")
for numbers, colour, up in ((features, GREY, 0.12), (out.data, BLUE, -0.12)):
    mean, std = numbers.mean(axis=(0, 2, 3)), numbers.std(axis=(0, 2, 3))
    right.errorbar(mean, np.arange(6) + up, xerr=std, fmt="o", color=colour, capsize=4, lw=2)
right.set(title="Batch norm: six channels on one scale", ylabel="channel")
right.set(xlabel="mean ± standard deviation of a channel")
for axes, before, after in ((middle, (13, 3.5), (17, 1.1)), (right, (3.2, 1.3), (1.15, 0.62))):
    axes.text(*before, "before", color="#5f636b", fontsize=11)
    axes.text(*after, "after", color=BLUE, fontsize=11)
picture(figure, "09-norms")

# %% [markdown]
# ## Exercises


# %%
def dropout(x, p, u):
    """Drop numbers of x with probability p, in training. u are random, evenly from 0 … 1."""
    return np.where(u < p, 0, x)


exercise(e09.the_mean_stays, dropout)


# %%
def batch_norm_gradient(x, g):
    """Give the gradient of x (M,), one channel, if g is that of x̂ = (x − mean) / √variance."""
    raise NotImplementedError


exercise(e09.shift_and_scale_cost_nothing, batch_norm_gradient)


# %%
def running_variance(running, x, momentum):
    """Move the running variance by the share `momentum` towards that of the values x (M,)."""
    raise NotImplementedError


exercise(e09.the_population_is_meant, running_variance)
