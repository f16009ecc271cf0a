# %% [markdown]
# # 12 The Inception module, and the arithmetic of 1×1
#
# Which kernel size is right: 1×1, 3×3 or 5×5? GoogLeNet's answer is all of them, side by side on
# the same input, their outputs stacked. Done plainly that costs too much. This lesson counts how
# much, and how little is left when a 1×1 convolution stands in front.

# %%
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]) if "__file__" in globals() else "..")

import numpy as np

import minigrad
from examples.exercises import e12
from examples.lesson import BLUE, GREY, ORANGE, exercise, picture, plt
from googlenet import GoogLeNet, summary
from googlenet.architecture import ROWS
from minigrad import functional as F

rng = np.random.default_rng(0)

# %% [markdown]
# A 1×1 convolution sees one pixel at a time. At each pixel it turns the C numbers of the channels
# into O others, with the same matrix everywhere: it is a linear layer for pixels. It can make many
# channels few, and leaves height and width alone.

# %%
x = rng.standard_normal((2, 192, 28, 28), dtype=np.float32)
weight = rng.standard_normal((16, 192, 1, 1), dtype=np.float32)
with minigrad.kernels("vectorized"):  # nothing to compile: it runs once
    reduced = F.conv2d(minigrad.tensor(x), minigrad.tensor(weight)).numpy()
pixel = weight[:, :, 0, 0] @ x[1, :, 5, 7]
assert np.allclose(reduced[1, :, 5, 7], pixel, atol=1e-3)
print(f"1×1: {x.shape} → {reduced.shape}, a matrix of {weight.size:,} numbers at every pixel")

# %% [markdown]
# The module **3a**, the first of the network, with the widths of the paper's Table 1. Four branches
# look at the same 192 channels: 1×1; 1×1 then 3×3; 1×1 then 5×5; 3×3 max pool then 1×1. All keep
# the 28×28 pixels, so their channels can be stacked.

# %%
net = GoogLeNet(num_classes=1000, generator=rng)
module, row = net.inception_3a, ROWS["3a"]
with minigrad.kernels("vectorized"), minigrad.no_grad():
    out = module(minigrad.tensor(x))
print(row)
assert out.shape == (2, 64 + 128 + 32 + 32, 28, 28)
print(f"3a: {x.shape[1]} channels in, 64 + 128 + 32 + 32 = {out.shape[1]} out")

# %% [markdown]
# **Predict.** The 5×5 branch of 3a gives 32 channels of 28×28 numbers. Each is a sum over 5·5·192
# products. The paper reduces the 192 channels to 16 first. By which factor does that make it
# cheaper: 2, 5, 10 or 20?

# %%
pixels = 28 * 28
direct = 32 * 5 * 5 * 192 * pixels
reduction, rest = 16 * 192 * pixels, 32 * 5 * 5 * 16 * pixels
assert (direct, reduction, rest) == (120_422_400, 2_408_448, 10_035_200)
print(f"5×5 of 3a, direct       {direct:>12,} multiply-adds")
print(f"through 16 channels     {reduction + rest:>12,} = {reduction:,} + {rest:,}")
print(f"                        {direct / (reduction + rest):>12.1f} times fewer")

# %% [markdown]
# Why not 12 = 192/16? Because the 1×1 is not free: through r channels, an O-channel k×k costs
# r·(C + k²·O) per pixel instead of k²·C·O. With r small, the reduction itself is what remains.
# `googlenet.summary` counts every branch of the network like that.

# %%
found = list(summary.reductions(net))
assert (found[1].direct, found[1].through) == (direct, reduction + rest)
total = sum(r.direct for r in found), sum(r.through for r in found)
stages, _ = summary.rows(net)
whole = sum(stage.multiply_adds for stage in stages)
plain = whole - total[1] + total[0]
print(f"all 3×3 and 5×5 branches: {total[0] / 1e9:.2f} G → {total[1] / 1e9:.2f} G multiply-adds")
print(f"the whole network: {plain / 1e9:.2f} G → {whole / 1e9:.2f} G, one picture of 224×224")
assert whole == 1_582_671_872

figure, axes = plt.subplots(1, 2, figsize=(10, 4.6), sharey=True)
for axis, kernel in zip(axes, ("3×3", "5×5"), strict=True):
    rows = [r for r in found if r.name.endswith(f"conv_{kernel.replace('×', 'x')}")]
    y = np.arange(len(rows))
    one = np.array([r.reduction for r in rows]) / 1e6
    then = np.array([r.convolution for r in rows]) / 1e6
    before = np.array([r.direct for r in rows]) / 1e6
    axis.barh(y, before, 0.8, color=GREY, alpha=0.3)
    axis.barh(y, one, 0.5, color=ORANGE)
    axis.barh(y, then, 0.5, left=one, color=BLUE)
    for i, r in enumerate(rows):
        axis.text(before[i] + 6, i, f"{r.direct / r.through:.1f}× fewer", va="center", fontsize=10)
    axis.set_yticks(y, [r.name.split("_")[1][:2] for r in rows], fontsize=11)
    axis.set(xlim=(0, 590), xlabel="million multiply-adds for one picture")
    factor = sum(r.direct for r in rows) / sum(r.through for r in rows)
    axis.set_title(f"the {kernel} branches: {factor:.1f}× fewer in all", fontsize=11)
axes[0].set_ylabel("Inception module")
axes[0].invert_yaxis()
key = {"without a 1×1": "#5f636b", "the 1×1": ORANGE, "and what follows it": BLUE}
for i, (words, colour) in enumerate(key.items()):
    axes[1].text(330, 6.9 + 0.65 * i, words, color=colour, weight="bold")
figure.suptitle("A 1×1 convolution in front makes 3×3 and 5×5 affordable", fontsize=13)
picture(figure, "12-inception")

# %% [markdown]
# ## Exercises
#
# Write each function, and run the lesson again.


# %%
def pointwise(x, weight):
    """Convolve x (N, C, H, W) with weight (O, C, 1, 1), giving (N, O, H, W), by one `@`.

    NumPy only. `a @ b` multiplies the last two axes and repeats over those before.
    """
    return weight[:, :, 0, 0] @ x


def inception_cost(channels, pixels, row):
    """Count the multiply-adds of an Inception module for one picture.

    `channels` come in, on maps of `pixels` pixels. `row` has the widths of its convolutions:
    conv_1x1, conv_3x3_reduce, conv_3x3, conv_5x5_reduce, conv_5x5, pool_proj.
    """
    raise NotImplementedError


def widest_that_pays(channels, out, kernel_size):
    """Return the largest width r to which a 1×1 may reduce before a convolution and still save.

    Of `channels` to `out` channels, kernel_size × kernel_size. Equal cost is no saving.
    """
    raise NotImplementedError


exercise(e12.pointwise, pointwise)
exercise(e12.inception_cost, inception_cost)
exercise(e12.widest_that_pays, widest_that_pays)
