# %% [markdown]
# # 11 Write your own layer, and property-test it
#
# The engine lacks RMS norm: every row is divided by the root of its mean square. Here it is written
# from arrays. Then the question is not *does it run*, but *what could be wrong that nobody sees?*

# %%
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]) if "__file__" in globals() else "..")

import numpy as np
from matplotlib import pyplot as plt

from examples.exercises import e11
from examples.lesson import BLUE, GREY, exercise, picture
from minigrad import functional as F
from minigrad import manual_seed, nn, optim, tensor
from minigrad.autograd import record
from minigrad.data import FashionMNIST
from minigrad.testing import check_layer

# %% [markdown]
# Of x (N, C), every row: r = 1 / √(mean(x²) + ε), then x̂ = x·r, then out = weight · x̂. Going back,
# x[j] moves its own x̂, and through r all of its row: ∂x̂[i]/∂x[j] = r·(δ − x̂[i]·x̂[j]/C). With G the
# gradient of out, multiply and add up:
#
#     gradient of x = r·(weight·G − x̂·mean(weight·G·x̂))       gradient of weight = Σ rows G·x̂
# `record` makes a tensor of a result, and of the rules for the way back: one for each parent.


# %%
class RMSNorm(nn.Module):
    axis = 1

    def __init__(self, features):
        self.weight = nn.Parameter(np.ones(features, np.float32))

    def scale(self, x):
        return 1 / np.sqrt((x * x).mean(self.axis, keepdims=True) + 1e-6)

    def normalise(self, x, r):
        return x * r

    def x_gradient(self, g, normal, r):
        return r * (g - normal * (g * normal).mean(self.axis, keepdims=True))

    def weight_gradient(self, g, normal):
        return (g * normal).sum(axis=0)

    def forward(self, x):
        weight, r = self.weight.data, self.scale(x.data)
        normal = self.normalise(x.data, r)
        to_x = x, lambda g: self.x_gradient(weight * g, normal, r)
        to_weight = self.weight, lambda g: self.weight_gradient(g, normal)
        return record("rms_norm", weight * normal, to_x, to_weight)


# %% [markdown]
# `check_layer` knows nothing of RMS norm. It asks what any layer owes its user, on drawn inputs.

# %%
print(RMSNorm(4)(tensor([[3.0, 4.0, 0.0, 0.0]])))
print(check_layer(RMSNorm(4), (3, 4)))

# %% [markdown]
# ## Seven ways to be wrong
# Each is a line away from the right layer. *Predict*: which keep a network from learning?


# %%
def remembers(self, x):
    if self.training and len(x):
        self.usual = 0.9 * getattr(self, "usual", 1) + 0.1 * float((x.data**2).mean())
    return RMSNorm.forward(self, x) / (1 if self.training else getattr(self, "usual", 1))


CHANGED = {
    "RMS norm": {},
    "scale as a constant": {"x_gradient": lambda self, g, normal, r: r * g},
    "weight from one row": {"weight_gradient": lambda self, g, normal: (g * normal)[-1:].sum(0)},
    "over the batch": {"axis": 0},
    "overwrites x": {"normalise": lambda self, x, r: np.multiply(x, r, out=x)},
    "float32 only": {"scale": lambda self, x: RMSNorm.scale(self, x.astype("f4")).astype(x.dtype)},
    "drops in use, too": {"forward": lambda self, x: RMSNorm.forward(self, F.dropout(x, 0.2))},
    "secret memory": {"forward": remembers},
}
layers = {name: type("RMSNorm", (RMSNorm,), methods) for name, methods in CHANGED.items()}
clothes = FashionMNIST(train=False)
images = tensor(clothes.images.reshape(1000, -1) / np.float32(255))


def loss_after_training(layer):
    manual_seed(0)
    model = nn.Sequential(nn.Linear(784, 32), layer(32), nn.Linear(32, 10))
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for _ in range(30):
        model.zero_grad()
        loss = F.cross_entropy(model(images), clothes.labels)
        loss.backward()
        optimizer.step()
    return loss.item()


losses = [loss_after_training(layer) for layer in layers.values()]
reports = [check_layer(L(4), (3, 4), max_examples=5, raise_error=False) for L in layers.values()]
for name, loss, report in zip(layers, losses, reports, strict=True):
    print(f"{name:20} loss {loss:.2f}  fails {[failure.key for failure in report.failures]}")
assert min(losses) < losses[0] < max(losses) < 1
assert [len(report.failures) for report in reports] == [0, *[1] * 7]

# %% [markdown]
# All of them learn, and the best loss is that of a broken one. It shows later: in a small batch,
# where another layer still needed x, where a model is loaded again.

# %%
keys = [result.key for result in reports[0].results]
fails = np.array([[report[key].holds is False for key in keys] for report in reports])
figure, (left, ax) = plt.subplots(1, 2, figsize=(11, 4.4), sharey=True, width_ratios=(1, 3))
left.barh([*layers], losses, color=[BLUE, *[GREY] * 7])
left.set(title="All eight learn", xlabel="loss after 30 steps (guessing: 2.3)", xlim=(0, 2.3))
ax.set_title("check_layer: seven are wrong, each in its own way")
ax.imshow(fails, cmap="Oranges", vmax=2.2, aspect="auto")
for row, column in np.argwhere(fails):
    ax.text(column, row, "fails", ha="center", va="center", fontsize=9)
ax.set_xticks(range(len(keys)), keys, rotation=45, ha="right")
picture(figure, "11-layers")

# %% [markdown]
# ## Exercises


# %%
def silu(x):
    """Give x·σ(x), where σ(x) = 1 / (1 + exp(−x)), with a rule of your own for the way back."""
    sigmoid = 1 / (1 + np.exp(-x.data))
    return record("silu", x.data * sigmoid, (x, lambda g: g * sigmoid))


exercise(e11.silu_is_a_good_layer, silu)


# %%
def relu_is_right(relu):
    """Raise AssertionError if something is wrong with relu, a function of a Tensor."""
    assert relu(tensor([-1.0, 2.0])).tolist() == [0, 2]


exercise(e11.the_test_kills_what_breaks_relu, relu_is_right)
