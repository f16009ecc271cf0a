# %% [markdown]
# # 02 The graph, and why backward needs an order
#
# **Question.** Backward goes from the loss to what it was made from, and on to what that was
# made from. Why not just recurse? Why does every engine sort the nodes first?
# **Predict**: y ← y + y, 25 times over. How many operations is that? How many ways lead from the
# last y back to the first?

# %%
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]) if "__file__" in globals() else "..")
import numpy as np

import minigrad
from examples.exercises import e02
from examples.grids import box, link
from examples.lesson import BLUE, RED, exercise, picture, plt
from googlenet import GoogLeNet
from minigrad import graph


def doubled(times):
    y = minigrad.tensor(1.0, requires_grad=True)
    for _ in range(times):
        y = y + y
    return y


def visits_of(node):
    """Walk every path by itself, as a plain recursion does, and count the visits."""
    return 1 + sum(visits_of(parent) for parent in node.parents)


counts = [graph.paths(doubled(times)) for times in range(26)]
print("times  nodes       paths      visits")
for times in (1, 5, 10, 16, 25):
    nodes, _, _, paths, visits = counts[times]
    print(f"{times:5} {nodes:6} {paths:11,} {visits:11,}")
    assert times == 25 or visits == visits_of(doubled(times).node)  # who would wait for 25?

# %% [markdown]
# Paths multiply where nodes only add: each further y + y adds one node and doubles the paths.
# In an Inception module four branches meet again: four ways through it. GoogLeNet has nine
# modules, so 4⁹ = 262,144 ways back to its first weight, and some hundred operations.

# %%
net = GoogLeNet(num_classes=10, dialect="cifar", aux_heads=False).eval()
with minigrad.kernels("vectorized"):
    logits = net(minigrad.tensor(np.zeros((1, 3, 32, 32), np.float32)))
google = graph.paths(logits.sum(), model=net)
print(f"GoogLeNet: {google.nodes} nodes, {google.total:,} paths")
assert google.leaves["conv1.weight"] == 4**9

# %% [markdown]
# So visit each **node** once, and let it hand on the *sum* of what arrived. Then the order
# decides: a node may have its turn only when all has arrived. Here is a graph of three
# operations where the obvious order, nearest to the loss first, is wrong.

# %%
x = minigrad.tensor(2.0, requires_grad=True)
a = x**2
b = 3 * a
loss = a + b  # 4·x², so the gradient is 8·x = 16


def nearest_first(root):
    order = [root]
    for node in order:  # which grows as we go
        order += [parent for parent in node.parents if parent not in order]
    return list(dict.fromkeys(order))


def send_back(order):
    """Give each node one turn: all that has arrived by then goes on to its parents."""
    arrived = {order[0]: np.float32(1)}
    for node in order:
        for parent, vjp in zip(node.parents, node.vjps, strict=True):
            arrived[parent] = arrived.get(parent, 0) + vjp(arrived[node])
    return arrived


nearest = nearest_first(loss.node)
newest = sorted(nearest, key=lambda node: node.number, reverse=True)
for name, order, needed in (("nearest", nearest, 4), ("newest", newest, 16)):
    came = float(send_back(order)[x.node])
    print(f"{name} first: {' → '.join(node.name for node in order)}, x gets {came:g}")
    assert came == needed

# %% [markdown]
# Nearest first, `power` (that is a) has its turn before `multiply` (b) has handed it 3, and the 3
# never goes on. Newest first cannot go wrong: whatever uses a was made after a. A list in which
# each node stands before those it was made from is a **topological order**; an engine that
# numbers its operations as they run has it for nothing. `graph.step` shows the engine itself:

# %%
steps = graph.step(loss, names={"x": x})
print(steps)
graph.draw(loss, names={"x": x})  # a notebook shows the drawing here

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), width_ratios=(1.35, 1))
places = (3.1, 1.4), (2.15, 0.4), (1.1, 1.4), (0, 1.4)
boxes = dict(zip(("loss = a + b", "b = 3·a", "a = x²", "x = 2"), places, strict=True))
at = {frame.entry: place for frame, place in zip(steps, boxes.values(), strict=True)}
for frame, (text, (u, v)) in zip(steps, boxes.items(), strict=True):
    box(left, (u, v), text)
    parts = [f"{h.gradient:g}" for f in steps for h in f.handed if h.parent == frame.entry]
    total = " + ".join(parts) + " = " if len(parts) > 1 else ""
    text = f"turn {frame.number}\ngradient {total}{frame.gradient:g}"
    left.text(u, v + (0.48 if v > 1 else -0.48), text, ha="center", va="center", fontsize=11)
    for h in frame.handed:
        link(left, (u, v), at[h.parent], f"{h.gradient:g}")
left.set(xlim=(-0.45, 3.7), ylim=(-0.4, 2.2))
left.axis("off")
left.set_title("Backward: a waits until b has handed on its part")
right.semilogy([c.total for c in counts], color=RED, linewidth=2.5)
right.semilogy([c.nodes for c in counts], color=BLUE, linewidth=2.5)
right.text(16, 3e6, "paths", color=RED, fontsize=13, ha="right")
right.text(19, 40, "nodes", color=BLUE, fontsize=13)
right.set(xlabel="times y ← y + y", ylabel="how many", title="Paths multiply where nodes add")
picture(figure, "02-graph")

# %% [markdown]
# ## Exercises
# A node has `parents`, a tuple of nodes, and `slopes`: how fast it moves with each of them.


# %%
def order(root):
    """List root and all it was made from, each node once, each before its parents."""
    return nearest_first(root)


def gradients(order):
    """Return a dict, node → gradient of order[0] by it; the order is right."""
    raise NotImplementedError


def count_paths(root):
    """Return a dict, leaf → number of paths from root to it, without walking them all."""
    raise NotImplementedError


exercise(e02.order, order)
exercise(e02.gradients, gradients)
exercise(e02.count_paths, count_paths)
