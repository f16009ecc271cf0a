# %% [markdown]
# # 14 Train GoogLeNet, and what to look at while it learns
# The real network takes two minutes (`googlenet train`). Here is its shape with narrow modules:
# nine of them, two auxiliary heads, 64 pictures a step, 70 steps. Enough to see it wake up. (On its
# very first run the engine compiles its kernels, for a minute.)

# %%
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]) if "__file__" in globals() else "..")

import numpy as np

import minigrad
from examples.clothes import clothes
from examples.exercises import e14
from examples.lesson import BLUE, GREEN, GREY, ORANGE, RED, exercise, picture, plt
from googlenet import GoogLeNet, model, probe
from minigrad import optim

(X, Y, names), (X_test, Y_test, _) = clothes(), clothes(train=False)
# Widths as in Table 1 of the paper (lesson 12), a fifth of them or so.
NARROW = """3a=16/16/24/4/8/8 3b=24/24/32/6/12/12 pool 4a=32/24/40/4/12/12 4b=32/24/40/6/12/12
4c=32/24/40/6/12/12 4d=32/24/40/8/12/12 4e=40/32/48/8/16/16 pool 5a=40/32/48/8/16/16
5b=64/40/64/8/24/24"""

# %% [markdown]
# At every step two things are noted. The loss of each head: guessing among 10 classes costs ln 10 =
# 2.303, and a head that stays there has learned nothing. And how far the step moved the weights, as
# a share of their size: some thousandths are healthy.
#
# **Predict.** Which head leaves ln 10 first: the main one, or an auxiliary one? And what does a
# rate ten times as high do: learn faster, or not at all?


# %%
def train(lr, steps, batch=64):
    minigrad.manual_seed(0)  # dropout
    rng = np.random.default_rng(0)
    net = GoogLeNet(10, 1, 32, stages=NARROW, init="he", generator=rng)
    optimizer, watched = optim.Adam(net.parameters(), lr=lr), net.inception_4c.conv_3x3.weight
    losses, moves = [], []
    for _ in range(steps):
        chosen = rng.choice(len(X), batch, replace=False)
        total, heads = model.loss(net(minigrad.tensor(X[chosen])), Y[chosen])
        net.zero_grad()
        total.backward()
        before = watched.numpy().copy()
        optimizer.step()
        moves.append(np.linalg.norm(watched.numpy() - before) / np.linalg.norm(before))
        losses.append([float(head.item()) for head in heads.values()])
    return net, np.array(losses), np.array(moves)


# %%
net, losses, moves = train(lr=2e-3, steps=70)
wild, high_losses, high_moves = train(lr=2e-2, steps=25)
GUESS = np.log(10)
assert abs(losses[0, 0] - GUESS) < 0.02  # before it learns, the main head must be guessing
left = [np.argmax(head < GUESS - 0.3) for head in losses.T]
for name, step, last in zip(("main", "aux 4a", "aux 4d"), left, losses[-10:].mean(0), strict=True):
    print(f"{name:>7}: 0.3 below ln 10 first at step {step:2}; the last ten steps {last:.2f}")
print(f"rate 2e-2: the main head's last ten {high_losses[-10:, 0].mean():.2f}, ln 10 = {GUESS:.2f}")
shares = np.median(moves), np.median(high_moves)
print(
    f"a step moved the 3×3 of 4c by {shares[0]:.1%} of its size, at the high rate {shares[1]:.1%}"
)

net.eval()  # dropout off, heads off
said = net(minigrad.tensor(X_test)).numpy().argmax(1)
print(f"test accuracy {(said == Y_test).mean():.2f} after {70 * 64:,} pictures; guessing: 0.10")
assert min(left[1:]) < left[0]
assert losses[-10:, 0].mean() < GUESS - 0.5 < high_losses[-10:, 0].mean()
for name, n in {"rate 2e-3": net, "rate 2e-2": wild}.items():
    look = probe.look_inside(n, minigrad.tensor(X_test[:64]), Y_test[:64])
    dead, answers = look.stages["dead"][-1], look.heads["logits"]["classes"]
    print(f"{name}: 5b has {dead:.0%} silent channels; of 64 pictures it names {answers} class(es)")
assert answers == 1

# %% [markdown]
# The auxiliary heads learn first: fewer layers lie between them and the pictures, and what they
# teach the stages below, the main head then builds on. At the high rate all ends at ln 10: the
# first steps moved the weights so far that most channels fell silent behind their ReLUs, whatever
# the picture, and get no gradient to come back by. The rest says the same of every picture. (The
# weights glide on for a while, by Adam's momentum.) `googlenet train` warns of such heads.

# %%
layout = [["loss"] * 5 + ["move"] * 3, ["said"] * 8]
figure, axes = plt.subplot_mosaic(layout, figsize=(10, 5.6), height_ratios=[2.6, 1])
axis, x, smooth = axes["loss"], np.arange(len(losses)), np.ones(7) / 7
axis.axhline(GUESS, color=GREY, lw=1, ls="--")
axis.text(69, GUESS + 0.04, "guessing: ln 10", ha="right", color="#5f636b")
KEY = {"main head": (BLUE, 2.0), "head on 4a": (ORANGE, 1.7), "head on 4d": (GREEN, 1.85)}
for (name, (colour, high)), head in zip(KEY.items(), losses.T, strict=True):
    axis.plot(x, head, color=colour, alpha=0.25, lw=1)
    axis.plot(x[3:-3], np.convolve(head, smooth, "valid"), color=colour, lw=2.2)
    axis.text(53, high + 0.02, name, color=colour, weight="bold", fontsize=11)
axis.plot(high_losses[:, 0], color=RED, lw=1.6)
axis.text(12, 2.72, "main head, rate 10 times as high", color=RED)
axis.set(ylim=(0.7, 3), xlabel="step", ylabel="loss", title="The auxiliary heads learn first")
axis = axes["move"]
axis.semilogy(moves, color=BLUE), axis.semilogy(high_moves, color=RED)
axis.axhspan(6e-4, 1e-2, color=GREEN, alpha=0.12, lw=0)
axis.text(69, 7e-4, "healthy", ha="right", color=GREEN)
axis.text(26, 0.03, "rate 10 times\nas high", color=RED)
axis.set(xlabel="step", ylim=(2e-4, 1), title="How far a step moves weights")
axis.set_ylabel("as a share of their size")
axis = axes["said"]
axis.imshow(np.hstack(np.pad(X_test[:9, 0], ((0, 0), (0, 0), (4, 4)), mode="edge")), cmap="gray_r")
axis.axis("off")
for i, label in enumerate(said[:9]):
    colour, word = GREEN if label == Y_test[i] else RED, names[label]
    axis.text(20 + 40 * i, 37, word, color=colour, ha="center", fontsize=11)
axis.set_title("What it says of nine test pictures: green is right", fontsize=11)
picture(figure, "14-training")

# %% [markdown]
# ## Exercises


# %%
def train_step(parameters, optimizer, loss_of, batch):
    """Take a step: `loss_of(batch)` is a Tensor, `optimizer` has zero_grad() and step()."""
    loss_of(batch).backward()
    optimizer.step()


def epoch_loss(batches):
    """Return the mean loss of a picture, from (mean loss, number of pictures) of each batch."""
    return sum(mean for mean, _ in batches) / len(batches)


def rate(step, steps, warmup, peak):
    """Return the learning rate of `step`, of 0 … steps − 1: up along a line, down along a cosine.

    Step 0 has peak/warmup, step warmup − 1 has peak. From there half a cosine goes down. It
    would reach 0 at step number `steps`, which is not made any more.
    """
    raise NotImplementedError


exercise(e14.train_step, train_step)
exercise(e14.epoch_loss, epoch_loss)
exercise(e14.rate, rate)
