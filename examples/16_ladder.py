# %% [markdown]
# # 16 The ladder: one convolution, four implementations
# The same convolution of GoogLeNet, the 3×3 of module 3a, for 8 pictures: as loops, as one matrix
# product, compiled, and on a GPU if there is one. How far apart are they, and what is the limit?
#
# **Predict.** The compiled one is how many times as fast as the loops: 10, 1,000 or 100,000?

# %%
import statistics
import sys
import time
import timeit
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]) if "__file__" in globals() else "..")

import numpy as np
from rich.console import Console
from rich.table import Table

import minigrad
from examples.exercises import e16
from examples.lesson import BLUE, GREEN, GREY, ORANGE, RED, exercise, picture, plt
from minigrad import functional as F

N, C, H, W, O, K = 8, 96, 28, 28, 128, 3
rng = np.random.default_rng(0)
images = rng.standard_normal((N, C, H, W), dtype=np.float32)
weight = rng.standard_normal((O, C, K, K), dtype=np.float32) / 30
flop = 2 * N * O * C * K * K * H * W  # a multiplication and an addition for each product
moved = 4 * (images.size + weight.size + N * O * H * W)  # bytes: each number at least once
columns = 4 * 2 * N * C * K * K * H * W  # im2col writes them, the product reads them
print(f"{flop / 2e6:,.0f} million multiply-adds; at least {moved / 1e6:.1f} MB must move")

# %% [markdown]
# The rungs are measured in turns, so that a disturbance hits all of them, and medians are taken.
# The loops would need ten minutes or more: they get 1 picture, 4 channels and 4 outputs of the same
# size, borders included, and their time counts as often as that part goes into the whole.


# %%
def run(x, w, rung="cpu", winograd=False):
    minigrad.allow_winograd(winograd)
    with minigrad.no_grad(), minigrad.kernels(rung):
        out = F.conv2d(x, w, padding=1)
    if x.device != "cpu":
        minigrad.cuda.synchronize()  # a GPU answers before it is done
    return out


x, w = minigrad.tensor(images), minigrad.tensor(weight)
part = minigrad.tensor(images[:1, :4]), minigrad.tensor(weight[:4, :4])
share = (1 * 4 * 4) / (N * C * O)
rungs = {
    "naive": ("loops, the definition", lambda: run(*part, "naive"), 1 / share, 1),
    "vectorized": ("im2col, one product, NumPy", lambda: run(x, w, "vectorized"), 1, 5),
    "cpu": ("compiled, tiles in the cache", lambda: run(x, w), 1, 15),
    "Winograd": ("compiled, fewer products", lambda: run(x, w, winograd=True), 1, 15),
}
if minigrad.cuda.is_available():
    on = x.to("cuda"), w.to("cuda")
    rungs["gpu"] = ("CUDA C and cuBLAS", lambda: run(*on), 1, 15)
else:
    print("no GPU here: the fourth rung is left out")
times = {name: [] for name in rungs}
outs = {name: do().cpu().numpy() for name, (_, do, _, _) in rungs.items() if name != "naive"}
assert all(np.allclose(out, outs["cpu"], atol=1e-3) for out in outs.values())
assert np.allclose(run(*part, "naive").numpy(), run(*part).numpy(), atol=1e-3)
for turn in range(15):
    for name, (_, do, scale, turns) in rungs.items():
        if turn < turns:
            start = time.perf_counter()
            do()
            times[name].append((time.perf_counter() - start) * scale)

# %% [markdown]
# The roof: no program multiplies faster than a large matrix product, or moves numbers faster than a
# copy. A convolution that does I operations per byte is below the lower of both (Williams, Waterman
# and Patterson, 2009). For a roof the best of several turns counts, by NumPy or by the engine.

# %%
a = rng.standard_normal((1024, 1024), dtype=np.float32)
square, source, target = minigrad.tensor(a), *np.ones((2, 1 << 23), np.float32)


def best(do):
    return min(timeit.repeat(do, number=1, repeat=9))


peak = 2 * 1024**3 / min(best(lambda: a @ a), best(lambda: F.linear(square, square)))
bandwidth = 2 * source.nbytes / best(lambda: np.copyto(target, source))
print(f"roof: {peak / 1e9:.0f} GFLOP/s of a matrix product, {bandwidth / 1e9:.1f} GB/s of a copy")
title = f"3×3 convolution of inception_3a, {N} pictures, {minigrad.get_num_threads()} threads"
table = Table("rung", "what", "ms", "GFLOP/s", "times as fast", title=title)
figure, (left, axis) = plt.subplots(1, 2, figsize=(11.5, 4.6))
intensity, slow = flop / moved, statistics.median(times["naive"])
COLOURS = {"naive": RED, "vectorized": ORANGE, "cpu": BLUE, "Winograd": GREEN, "gpu": GREY}
for place, (name, (what, _, scale, _)) in enumerate(rungs.items()):
    seconds, colour = statistics.median(times[name]), COLOURS[name]
    rate, ratio = flop / seconds / 1e9, f"{float(f'{slow / seconds:.2g}'):,.0f}"
    at = flop / (moved + columns) if name == "vectorized" else intensity
    taken = f"{seconds * 1e3:,.1f}" + (" (scaled up)" if scale > 1 else "")
    table.add_row(name, what, taken, f"{rate:.3g}", ratio)
    left.barh(place, seconds * 1e3, color=colour)
    words = f" {float(f'{seconds * 1e3:.2g}'):,g} ms: {ratio}×"
    left.text(seconds * 1e3, place, words, va="center", color=colour, weight="bold")
    axis.plot(at, rate, "o", ms=9, color=colour, mfc="white" if name == "Winograd" else None)
    aside = 9, -14 if name == "cpu" else -4
    axis.annotate(name, (at, rate), aside, textcoords="offset points", color=colour, fontsize=11)
Console(width=100).print(table)
assert slow > 1000 * statistics.median(times["cpu"])
line = np.geomspace(0.5, 5000, 200)
axis.loglog(line, np.minimum(peak, bandwidth * line) / 1e9, color="black", lw=1.5, zorder=0)
axis.text(2.2, 0.15 * bandwidth / 1e9, f"roof: numbers come\nat {bandwidth / 1e9:.0f} GB/s")
axis.text(0.7, 4.5 * peak / 1e9, f"roof: a large matrix product, {peak / 1e9:.0f} GFLOP/s")
axis.set(xlabel="operations for each byte that must move", ylabel="GFLOP/s: more is better")
axis.set(title="How far from the roof of the machine?", xlim=(0.5, 5000), ylim=(1e-3, 5000))
left.set_yticks(range(len(rungs)), [f"{name}:\n{what}" for name, (what, *_) in rungs.items()])
left.set(xscale="log", xlabel=f"ms for {N} pictures: less is better (log scale)", xlim=(0.5, 3e8))
left.set(title="One convolution: time, and how many times as fast", ylim=(len(rungs) - 0.5, -0.5))
picture(figure, "16-ladder")

# %% [markdown]
# The loops lose to Python: a product costs a microsecond or two. NumPy's matrix product is fast,
# but im2col first writes nine times the picture into memory: less work per byte, further left. The
# compiled rung gathers small tiles that stay in the cache. Winograd's makes fewer products than the
# definition, by which we count, so it may stand above the roof.
#
# ## Exercises


# %%
def shifted(x, weight):
    """Convolve x (C, H, W) with weight (O, C, 3, 3), padding 1, by nine products: a rung of yours.

    No im2col: for each [u, v] of the kernel, weight[:, :, u, v] meets a shifted picture.
    """
    raise NotImplementedError


def at_best(N, C, H, W, O, K, peak, bandwidth):
    """Return the seconds under the roof for a K×K convolution (stride 1, same size) in float32.

    `peak` is in FLOP/s, `bandwidth` in bytes/s. Picture, weight and output move once each.
    """
    return 2 * N * O * C * K * K * H * W / peak


exercise(e16.shifted, shifted)
exercise(e16.at_best, at_best)
