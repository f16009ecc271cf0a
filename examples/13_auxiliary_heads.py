# %% [markdown]
# # 13 Auxiliary heads, and the gradient's way back
#
# GoogLeNet has three classifiers: one at its end, and two small ones on the modules 4a and 4d that
# are thrown away after training. They were put in so that more of the gradient reaches the lower
# stages. Does it? Here every stage's gradient is measured, with the heads and without.

# %%
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]) if "__file__" in globals() else "..")

import numpy as np

import minigrad
from examples.clothes import clothes
from examples.exercises import e13
from examples.lesson import BLUE, GREEN, GREY, RED, exercise, picture, plt
from googlenet import GoogLeNet
from googlenet.probe import look_inside
from minigrad import functional as F

images, labels = (part[:32] for part in clothes()[:2])  # 32×32, around 0

# %% [markdown]
# The loss that is trained is main + 0.3·aux_4a + 0.3·aux_4d. The derivative of a sum is the sum of
# the derivatives, so the gradient of any weight has three parts. Three ways back through the same
# graph show them: one for each loss alone.

# %%
rng = np.random.default_rng(0)
net = GoogLeNet(10, 1, 32, dropout=0, aux_dropout=0, init="he", generator=rng)
parts = {}
outputs = net(minigrad.tensor(images[:8]))
losses = {k: F.cross_entropy(v, labels[:8]) for k, v in outputs._asdict().items()}
total = losses["logits"] + 0.3 * losses["aux_4a"] + 0.3 * losses["aux_4d"]
for name, loss in {**losses, "total": total}.items():
    net.zero_grad()
    loss.backward(retain_graph=True)
    grads = {
        "3b": net.inception_3b.conv_1x1.weight.grad,
        "4e": net.inception_4e.conv_1x1.weight.grad,
    }
    parts[name] = {k: 0 if g is None else g.numpy().copy() for k, g in grads.items()}
    print(f"{name:>7}: " + ", ".join(f"‖∂loss/∂weight of {k}‖ = {np.linalg.norm(g):.4f}"
                                     for k, g in parts[name].items()))  # fmt: skip
for k in ("3b", "4e"):
    summed = parts["logits"][k] + 0.3 * (parts["aux_4a"][k] + parts["aux_4d"][k])
    assert np.allclose(parts["total"][k], summed, atol=1e-5)
assert not np.any(parts["aux_4d"]["4e"])  # 4e comes after the heads: they do not depend on it

# %% [markdown]
# **Predict.** For the first convolution: is the gradient twice as strong with the heads, ten times,
# or a thousand times?
#
# It depends on how the weights began. `look_inside` sends 32 pictures through a fresh network and
# reads the gradient that comes to rest at each stage's output, for the main loss alone and for the
# whole. We ask three networks: weights by He's rule, made for ReLU; by Xavier's with biases of 0.2,
# as in the Caffe model; and drawn with a standard deviation of 0.01, which batch norm would
# forgive, but this network has none.

# %%
BEGINNINGS = {"he": ("He", BLUE), "xavier": ("Xavier", GREEN), "normal": ("σ = 0.01", RED)}
measured, times = {}, {}
for init, (name, _) in BEGINNINGS.items():
    net = GoogLeNet(10, 1, 32, init=init, generator=np.random.default_rng(0))
    look = look_inside(net, minigrad.tensor(images), labels)
    both = np.array(look.stages["gradient"])
    main = np.array(look.stages["gradient_main"])
    stages = net.stages
    behind = stages.index("inception_4d") + 1
    assert np.array_equal(both[behind:], main[behind:])  # no head stands further on
    measured[init], times[init] = (main, both), both[0] / main[0]
    inner = both[behind - 3] / main[behind - 3]
    print(f"{name:>8}: at conv1 {main[0]:.1e} of the main loss, {both[0]:.1e} of all three:",
          f"{times[init]:,.1f} times; at 4b {inner:.1f} times")  # fmt: skip
assert 1 < times["he"] < times["xavier"] < 10 < times["normal"]

# %% [markdown]
# What came out. With a beginning that suits the network the heads make the gradient of the first
# stages 1.6 to 1.8 times as strong: a help, no more. Weights that are too small shrink it at every
# stage, and there the heads' short cut is worth a factor of thousands. Yet look at the left end:
# what arrives is still 10⁻⁸. Heads do not repair a bad beginning. He's rule (2015) and batch
# norm (2015) did, some months after GoogLeNet; Inception v3 kept one head.

# %%
figure, axis = plt.subplots(figsize=(9.6, 5.6))
x = np.arange(len(stages))
for init, (name, colour) in BEGINNINGS.items():
    main, both = measured[init]
    axis.semilogy(x, main, color=colour, lw=1.5, ls=(0, (2, 2)))
    axis.semilogy(x, both, color=colour, lw=2.5)
    axis.fill_between(x, main, both, color=colour, alpha=0.12)
    high = {"he": 0.5, "xavier": 0.02}.get(init, both[0])
    axis.text(-0.3, high, f"{name}: {times[init]:,.{0 if times[init] > 100 else 1}f}×",
              color=colour, ha="right", va="center", fontsize=11, weight="bold")  # fmt: skip
short = [s.replace("inception_", "").replace("conv2_reduce", "conv2r") for s in stages]
axis.set_xticks(x, short, rotation=60, fontsize=10)
axis.set(xlim=(-4, len(stages) - 0.5), ylim=(1e-12, 100))
axis.set(ylabel="size of the gradient at the stage's output", xlabel="stage")
for head in ("4a", "4d"):
    place = short.index(head)
    axis.axvline(place, color=GREY, lw=1, zorder=0)
    axis.text(place, 12, f"head\non {head}", ha="center", fontsize=10, color="#5f636b",
              bbox={"color": "white", "pad": 0})  # fmt: skip
axis.text(-0.3, 6, "how weights begin:\nwith ÷ without heads", ha="right", color="#5f636b")
axis.text(5.7, 3e-6, "with the heads", color=RED, ha="right", fontsize=11)
axis.text(6.2, 1.5e-10, "the main loss alone", color=RED, fontsize=11, va="top")
axis.annotate("the way back", (11, 1e-11), (13.5, 1e-11), va="center", fontsize=11,
              color="#5f636b", arrowprops={"arrowstyle": "->", "color": GREY})  # fmt: skip
axis.set_title(
    "Auxiliary heads strengthen the gradient before them:\n"
    "1.6 to 1.8 times where weights begin well, thousands of times where it fades",
    fontsize=12,
)
picture(figure, "13-heads")

# %% [markdown]
# ## Exercises


# %%
def training_loss(main, heads, target, weight=0.3):
    """Return the loss to train, a Tensor: cross-entropy of `main`, plus `weight` of each head's.

    `main` is (N, classes) logits, `heads` a list of such, which may be empty; use F.cross_entropy.
    """
    return F.cross_entropy(sum(heads, start=main), target)


def way_back(matrices, arriving):
    """Return the gradient at the output of each stage of a chain, as a list.

    Stage i computes outputs[i] = matrices[i] @ outputs[i - 1]. `arriving` maps a stage to the
    gradient that its head sends into its output (∂head loss/∂output); the last stage has one.
    """
    raise NotImplementedError


exercise(e13.training_loss, training_loss)
exercise(e13.way_back, way_back)
