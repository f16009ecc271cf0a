# %% [markdown]
# # 15 What it learned: filters, responses, class activation maps, occlusion
# A network that is right may be so for the wrong reason. Four ways to look: at what it multiplies
# by, at what comes out, at which places its answer is summed from, and at what happens when a part
# of the picture is covered.

# %%
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]) if "__file__" in globals() else "..")

import numpy as np
from matplotlib.colors import CenteredNorm

import minigrad
from examples.clothes import clothes
from examples.exercises import e15
from examples.lesson import exercise, picture, plt
from googlenet import GoogLeNet
from minigrad import functional as F
from minigrad import optim

(X, Y, names), (X_test, Y_test, _) = clothes(), clothes(train=False)

# %% [markdown]
# GoogLeNet's stem and two narrow modules without pools, so that 4×4 places remain. Batch norm lets
# weights begin tiny: what is in them after 120 steps was learned. (A first run compiles kernels.)

# %%
minigrad.manual_seed(0)
rng = np.random.default_rng(0)
options = {"stages": "3a=32/24/48/8/16/16 4a=48/32/64/8/24/24", "aux_heads": False}
net = GoogLeNet(10, 1, 32, batch_norm=True, init="normal", generator=rng, **options)
noise = net.conv1.weight.numpy()[:, 0].copy()
optimizer = optim.Adam(net.parameters(), lr=2e-3)
for _ in range(120):
    chosen = rng.choice(len(X), 64, replace=False)
    loss = F.cross_entropy(net(minigrad.tensor(X[chosen])).logits, Y[chosen])
    net.zero_grad()
    loss.backward()
    optimizer.step()
net.eval()
filters = net.conv1.weight.numpy()[:, 0]


def logits(images):
    with minigrad.no_grad():
        return net(minigrad.tensor(images)).numpy()


print(f"test accuracy {(logits(X_test).argmax(1) == Y_test).mean():.2f}")
# %% [markdown]
# **Filters.** In noise, a weight knows nothing of its neighbour: their correlation is about 0. A
# filter that looks for an edge or a blob has neighbours that agree.

# %%
before, now = (
    np.corrcoef(w[:, :, 1:].ravel(), w[:, :, :-1].ravel())[0, 1] for w in (noise, filters)
)
print(f"correlation of neighbours in conv1's filters: {before:+.2f} before, {now:+.2f} now")
assert abs(before) < 0.1 < now
# %% [markdown]
# **Class activation maps** (Zhou et al., 2016). The last maps f are averaged over their places, and
# logit c is Σₖ w[c, k] · mean(fₖ) + b[c]. Mean and sum may change places: logit c is the mean of
# M[i, j] = Σₖ w[c, k] · fₖ[i, j], plus b[c]. So M says what each place contributed, at no cost.
# Softmax feels only differences, so we draw M less its mean over the classes.

# %%
shown = [int(np.flatnonzero(Y_test == label)[3]) for label in (0, 1, 2, 3, 5, 7, 8, 9)]
images = X_test[shown]
maps = minigrad.tensor(images)
with minigrad.no_grad():
    for name in net.stages:
        maps = getattr(net, name)(maps)
        if name == "conv1":
            responses = maps.numpy()
given = logits(images)
said = given.argmax(1)
cams = np.einsum("ck,nkij->ncij", net.classifier.weight.numpy(), maps.numpy())
assert np.allclose(cams.mean((2, 3)) + net.classifier.bias.numpy(), given, atol=1e-3)
cam = cams[np.arange(len(images)), said] - cams.mean(1)
print(f"last maps {maps.shape[1:]}; the means of the class activation maps are the logits")

# %% [markdown]
# **Occlusion** (Zeiler and Fergus, 2014). Cover a square, note how far the logit falls (less the
# mean of all, as before), move on: slow, but without a look inside. **Predict:** do they agree? M
# asks where the evidence lies, occlusion what cannot be spared.

# %%
SIDE, places, every = 8, range(0, 25, 2), np.arange(len(images))
falls = np.zeros((len(images), len(places), len(places)))
for i, y in enumerate(places):
    for j, x in enumerate(places):
        covered = images.copy()
        covered[:, :, y : y + SIDE, x : x + SIDE] = X.min()  # the background
        fall = given - logits(covered)
        falls[:, i, j] = fall[every, said] - fall.mean(1)
pairs = zip(cam, falls[:, ::4, ::4], strict=True)  # squares on the maps' own 4×4 places
alike = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in pairs]
print("correlation of both, picture by picture:", " ".join(f"{r:+.2f}" for r in alike))
best = np.argsort(-responses.std((0, 2, 3)))[:8]
figure, axes = plt.subplots(5, 8, figsize=(10, 6.9))
for k, label in enumerate(said):
    axes[0, k].imshow(filters[best[k]], cmap="RdBu_r", norm=CenteredNorm())
    axes[1, k].imshow(responses[-1, best[k]], cmap="gray_r")
    axes[2, k].imshow(images[k, 0], cmap="gray_r")
    signed = {"cmap": "RdBu_r", "norm": CenteredNorm(), "extent": (3, 29, 29, 3)}
    axes[3, k].imshow(cam[k], cmap="Reds", extent=(0, 32, 32, 0), interpolation="bilinear")
    axes[4, k].imshow(falls[k], **signed, interpolation="bilinear")
    for axis in axes[3:, k]:
        axis.contour(
            *[np.arange(32) + 0.5] * 2, images[k, 0], [-0.5], colors="black", linestyles="solid"
        )
        axis.set(xlim=(0, 32), ylim=(32, 0))
    axes[2, k].set_title(names[label] + (" ✓" if label == Y_test[shown[k]] else " ✗"))
WORDS = """8 filters\nof conv1|what they\nmake of\nthe boot|the picture,\nand what\nit says|where
its evidence\nlies (CAM:\nleast to most)|covered there,\nits score\nfalls (red) or\nrises (blue)"""
for words, row in zip(WORDS.split("|"), axes, strict=True):
    row[0].set_ylabel(words, rotation=0, ha="right", va="center", fontsize=11)
for axis in axes.flat:
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_visible(False)
figure.suptitle("What it multiplies by, what comes out, and which parts speak for its answer")
picture(figure, "15-learned")

# %% [markdown]
# ## Exercises


# %%
def class_activation_map(features, weight, label):
    """Return M (H, W) of class `label`; features are (K, H, W), weight is (classes, K)."""
    raise NotImplementedError


def occlusion(score, image, size, fill):
    """Return how far `score(image)`, a number, falls, (H − size + 1, W − size + 1).

    Entry [y, x] is for a square of size × size pixels set to `fill`, its first corner at [y, x].
    """
    falls = np.zeros((image.shape[0] - size, image.shape[1] - size))
    for y, x in np.ndindex(falls.shape):
        image[y : y + size, x : x + size] = fill
        falls[y, x] = score(image)
    return falls


exercise(e15.class_activation_map, class_activation_map)
exercise(e15.occlusion, occlusion)
