# %% [markdown]
# # 07 Pooling, ties and padding
#
# Max pooling keeps the largest number of each window. Three questions decide whether it is right:
# Which pixels does the gradient go to? Which, where several are equally large? And what does a
# window see where it reaches over the edge?

# %%
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]) if "__file__" in globals() else "..")

import numpy as np
from matplotlib import pyplot as plt

import minigrad
from examples.exercises import e07
from examples.lesson import exercise, picture
from minigrad import functional as F
from minigrad.data import FashionMNIST
from minigrad.testing import mutants

boot, _ = FashionMNIST(train=False)[9]
image = boot[np.newaxis, :, ::2, ::2].astype(np.float32) / 255  # (1, 1, 14, 14)


def gradient_of(pool, image):
    """Send a gradient of 1 into every window; give what arrives at each pixel."""
    x = minigrad.tensor(image, requires_grad=True)
    out = pool(x)
    out.backward(np.ones(out.shape))
    return x.grad.data[0, 0], out


# %% [markdown]
# ## Who gets the gradient
#
# A small change of x moves the output only at the window's winner, and there by the same amount.
# So the slope is 1 for the winner and 0 for all others. GoogLeNet's windows are 3×3 with stride 2
# and overlap: a pixel may win several. *Predict*: 49 windows send 1 each; what do the gradients of
# all 196 pixels add up to?

# %%
wins, out = gradient_of(lambda x: F.max_pool2d(x, 3, stride=2, padding=1), image)
print(f"{out.size} windows; the gradient adds up to {wins.sum():.0f}, at most {wins.max():.0f}")
assert wins.sum() == out.size

# %% [markdown]
# Nothing is lost and nothing is made: gradients of windows that share a winner *add up*. Average
# pooling hands the same gradient out in equal shares.

# %%
shares, _ = gradient_of(lambda x: F.avg_pool2d(x, 3, stride=2, padding=1), image)
print(f"max pooling reaches {(wins > 0).sum()} pixels, average pooling {(shares > 0).sum()}")
assert (shares > 0).all()

# %% [markdown]
# ## Ties
#
# A tie sounds like a rare accident. *Predict*: in how many of the windows is the maximum reached
# by more than one pixel? (Behind the boot all is black. A ReLU makes such zeros, too.)

# %%
padded = np.pad(image[0, 0], 1, constant_values=-np.inf)
windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3))[::2, ::2].reshape(-1, 9)
tied = (windows == windows.max(axis=1, keepdims=True)).sum(axis=1) > 1
print(f"{tied.sum()} of {len(windows)} windows are tied")

# %% [markdown]
# At a tie max pooling has no derivative; any one winner will do, as long as it is the same one
# everywhere. The engine takes the first in scan order. What is wrong is to find the winner on the
# way back by comparing, `x == out`: then every pixel of a tie gets the whole gradient. The engine's
# corpus of mistakes has this one, so we can plant it and look.

# %%
with mutants.find("max-pool2d-all-equals-win").planted():
    too_much, _ = gradient_of(lambda x: F.max_pool2d(x, 3, stride=2, padding=1), image)
print(f"if all equal pixels won, {out.size} would become {too_much.sum():.0f}")
assert too_much.sum() > 2 * out.size

# %% [markdown]
# ## Padding
#
# For a convolution padding is 0. *Predict*: what does max pooling with a padding of zeros make of
# an image of −1 everywhere?

# %%
dark = minigrad.tensor(np.full((1, 1, 4, 4), -1.0))
with_zeros = F.max_pool2d(F.pad(dark, (1, 1, 1, 1)), 3, stride=2)
as_it_should = F.max_pool2d(dark, 3, stride=2, padding=1)
print("padded with 0:", with_zeros.tolist()[0][0], "  max_pool2d:", as_it_should.tolist()[0][0])
assert (with_zeros.data.max(), as_it_should.data.max()) == (0, -1)

# %% [markdown]
# Zero beats every negative number, and comes out although it is nowhere in the image. The padding
# of max pooling is −∞, which never wins. The average adds zeros, and the question is what to divide
# by: all 9 places of the window, or only those on the image.

# %%
bright = minigrad.tensor(np.ones((1, 1, 4, 4)))
of_9 = F.avg_pool2d(bright, 3, stride=2, padding=1).data[0, 0, 0, 0]
of_4 = F.avg_pool2d(bright, 3, stride=2, padding=1, count_include_pad=False).data[0, 0, 0, 0]
print(f"the corner of an image of ones: {of_9:.3f} with the padding counted, {of_4} without")
assert (round(float(of_9) * 9), of_4) == (4, 1)

# %%
panels = {
    "the image, 14 × 14": image[0, 0],
    f"max pooling: one winner\nof each window (sum {wins.sum():.0f})": wins,
    "average pooling:\nall pixels get a share": shares,
    f"a mistake: all pixels of a tie\nget everything (sum {too_much.sum():.0f})": too_much,
}
figure, axes = plt.subplots(1, 4, figsize=(11, 3.4), subplot_kw={"xticks": [], "yticks": []})
figure.suptitle("49 windows of 3 × 3 each send back a gradient of 1. Where does it arrive?")
for ax, (title, numbers) in zip(axes, panels.items(), strict=True):
    ax.set_title(title, fontsize=10)
    ax.spines[:].set_visible(True)
    photo = ax is axes[0]
    shown = ax.imshow(numbers, cmap="gray" if photo else "Oranges", vmin=0, vmax=1 if photo else 3)
    ax.contour(image[0, 0] > 0.05, [0.5], colors="#8a8f98", linewidths=1)
figure.colorbar(shown, ax=axes, shrink=0.8, ticks=range(4), extend="max", label="gradient")
picture(figure, "07-pooling")

# %% [markdown]
# ## Exercises


# %%
def max_pool_gradient(x, gradient):
    """Give the gradient of x, for max pooling of (H, W) with windows of 3×3 and stride 2.

    `gradient` (oh, ow) is that of the output. Window (i, j) sees x[2i:2i+3, 2j:2j+3]. Of equal
    numbers the first in scan order wins.
    """
    raise NotImplementedError


exercise(e07.each_window_pays_its_first_winner, max_pool_gradient)


# %%
def max_pool(x, padding):
    """Give the maxima of all 3×3 windows, stride 1, of x (H, W) padded by 0 or 1 on every side."""
    padded = np.pad(x, padding)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3))
    return windows.max(axis=(2, 3))


exercise(e07.padding_never_wins, max_pool)
