# %% [markdown]
# # 17 The same on a GPU
# A GPU is slow at one thing at a time and fast at a hundred thousand. So the question changes: not
# in which order to compute, but how to cut the work into threads that need no order. This lesson
# runs without a GPU too: it plays the threads on the CPU. With one, it measures as well.

# %%
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]) if "__file__" in globals() else "..")

import numpy as np

import minigrad
from examples.exercises import e17
from examples.lesson import BLUE, GREEN, GREY, ORANGE, RED, exercise, picture, plt
from googlenet import GoogLeNet
from googlenet.architecture import Conv, placed, walk
from minigrad import functional as F

HERE = minigrad.cuda.is_available()
print("there is a GPU" if HERE else "there is no GPU: threads are played on the CPU")
rng = np.random.default_rng(0)

# %% [markdown]
# This is `im2col` of `minigrad/ops/conv/kernels.cu`, in Python. A thread knows only its number. It
# peels its axes off, the last first, finds its pixel, and writes one number that nobody else
# writes. Then the threads may run in any order, or all at once. We shuffle them.

# %%
C, H, W, K, PAD = 2, 7, 6, 3, 1
x = rng.standard_normal((C, H, W)).astype(np.float32)
cols = np.full(C * K * K * H * W, np.nan, np.float32)


def im2col_thread(place):
    rest, j = divmod(place, W)
    rest, i = divmod(rest, H)
    rest, v = divmod(rest, K)
    c, u = divmod(rest, K)
    y, z = i - PAD + u, j - PAD + v
    cols[place] = x[c, y, z] if 0 <= y < H and 0 <= z < W else 0


for place in rng.permutation(cols.size):
    im2col_thread(int(place))
with minigrad.kernels("vectorized"):
    wanted = F.im2col(minigrad.tensor(x[np.newaxis]), K, padding=PAD).numpy().ravel()
    ones = F.col2im(minigrad.tensor(np.ones((1, K * K, H * W))), (H, W), K, padding=PAD)
assert np.array_equal(cols, wanted)
print(f"im2col: {cols.size} threads in any order, the same numbers as the engine's")

# %% [markdown]
# The way back, col2im, adds: up to nine windows hand something to the same pixel. **Predict:** one
# thread for each entry of the columns, all at once; each reads its pixel, adds, writes. What is
# the sum at a pixel that nine threads share? NumPy's `x[i] += 1` with repeated i does just that:
# all reads come before all writes.

# %%
scattered = np.zeros((H + 2, W + 2))
u, v, i, j = np.indices((K, K, H, W)).reshape(4, -1)
scattered[i + u, j + v] += 1  # all threads at once
lost = scattered[PAD:-PAD, PAD:-PAD]
gathered = ones.numpy()[0, 0]
assert (lost == 1).all()
print(f"adding ones: {gathered[3, 3]:.0f} for a pixel in the middle; in a race {lost[3, 3]:.0f}")

# %% [markdown]
# Eight of nine are lost: every thread read the 0. So the engine turns it around: one thread for
# each *pixel*, which looks for the windows that saw it and adds them up itself. No two threads
# write to one place, nothing need wait, and the sum has the same order every time.
#
# How many threads are there? One for each number that comes out. A large GPU of today, of 132
# multiprocessors with 2,048 threads each, holds 270,336 at a time. At batch 1 it is mostly empty.

# %%
HELD = 132 * 2048
net = GoogLeNet(num_classes=1000, aux_heads=False, generator=rng)
steps = walk(net.design.stages, 3, 224)
parts = [part for s in steps for part in placed(s.stage, s.in_channels, s.in_size)]
layers = [part for part in parts if isinstance(part.layer, Conv)]
outputs = np.array([part.layer.out_channels * part.out_size**2 for part in layers])
for batch in (1, 32):
    full = (outputs * batch >= HELD).sum()
    print(f"batch {batch}: {full} of {len(layers)} convolutions have a thread for every place")

if HERE:
    net.eval().to("cuda")
    for batch in (1, 8, 32):
        images = rng.random((batch, 3, 224, 224), np.float32)
        images, taken = minigrad.tensor(images, device="cuda"), []
        for _ in range(6):
            start = time.perf_counter()
            with minigrad.no_grad():
                net(images)
            minigrad.cuda.synchronize()  # a GPU answers before it is done
            taken.append(time.perf_counter() - start)
        print(f"batch {batch}: {batch / statistics.median(taken[1:]):,.0f} images/s forward")
else:
    print("With a GPU here would stand its images per second at batch 1, 8 and 32.")

# %%
mosaic = [["threads"] * 3 + ["race"], ["threads"] * 3 + ["sum"]]
figure, axes = plt.subplot_mosaic(mosaic, figsize=(10, 5.2))
axis, at = axes["threads"], np.arange(len(layers))
for batch, colour in ((32, BLUE), (1, ORANGE)):
    axis.semilogy(at, outputs * batch, "o-", ms=4, lw=1, color=colour)
    axis.text(58, 5e3 * batch, f"batch {batch}", color=colour, weight="bold", fontsize=11)
axis.axhline(HELD, color=GREY, ls="--")
axis.text(len(at) + 9, HELD * 1.2, f"a large GPU\nholds {HELD:,}", ha="right", color="#5f636b")
names = [part.name.split(".")[0].replace("inception_", "") for part in layers]
first = [k for k, name in enumerate(names) if name not in names[:k] and "conv2" not in name]
axis.set_xticks(first, [names[k] for k in first], rotation=50)
axis.set(title="Threads of each convolution of GoogLeNet: few pictures leave a GPU empty")
axis.set(xlim=(-1, len(at) + 9), ylabel="numbers that come out, a thread for each")
race, gather = "Windows add, all at once:\n8 of 9 are lost", "Each pixel gathers:\nnothing is lost"
for name, values, words, colour in (("race", lost, race, RED), ("sum", gathered, gather, GREEN)):
    axes[name].imshow(values, vmin=0, vmax=14, cmap="Greys")
    for y, z in np.ndindex(values.shape):
        axes[name].text(z, y, f"{values[y, z]:.0f}", ha="center", va="center", fontsize=9)
    axes[name].set_title(words, fontsize=11, color=colour)
    axes[name].axis("off")
picture(figure, "17-gpu")

# %% [markdown]
# ## Exercises


# %%
def blocks(count, threads):
    """Return how many blocks of `threads` threads are launched to have at least `count`."""
    return count // threads


def axes_of(place, shape):
    """Return the index (n, c, y, z) of number `place` of an array; the last axis runs fastest."""
    raise NotImplementedError


def windows_over(y, kernel_size, stride, padding, count):
    """Return which windows of 0 … count − 1 see row y; one begins at i · stride − padding."""
    return [i for i in range(count) if i * stride <= y < i * stride + kernel_size]


exercise(e17.blocks, blocks)
exercise(e17.axes_of, axes_of)
exercise(e17.windows_over, windows_over)
