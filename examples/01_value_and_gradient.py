# %% [markdown]
# # 01 A value and its gradient
#
# **Question.** A program computes a number from a number. How much does the result move when
# the input moves a little?
#
# Take f(x) = x³ − 3x at x = 2, where f is 2. **Predict**: if x becomes 2.01, by how much
# does f grow, roughly: 0.01, 0.03 or 0.09?

# %%
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]) if "__file__" in globals() else "..")
import numpy as np
from matplotlib import pyplot as plt

import minigrad
from examples.exercises import e01
from examples.lesson import BLUE, GREEN, GREY, ORANGE, RED, exercise, picture


def f(x):
    return x * x * x - 3 * x


x = minigrad.tensor(2.0, dtype=np.float64, requires_grad=True)
y = f(x)
y.backward()
slope = float(x.grad)
print(f"f(2) = {float(y):g}, and its gradient there is {slope:g}")
assert slope == 3 * 2**2 - 3

# %% [markdown]
# The **gradient** is the factor between a small move of the input and the move of the result:
# f(x + h) − f(x) ≈ gradient · h. `requires_grad=True` says that we will ask for it, `backward`
# computes it, and `x.grad` holds it. Nobody gave the engine the derivative 3x² − 3: it knows
# the derivatives of × and −, and puts them together (lesson 02).
#
# How good is "≈"? The table moves x by h and compares.

# %%
print("     h    f moves by   gradient·h      they differ by")
for h in (1.0, 0.1, 0.01, 0.001):
    moved = f(2 + h) - f(2)
    print(f"{h:6g} {moved:13.6f} {slope * h:12.6f} {moved - slope * h:19.6f}")
    assert np.isclose(moved - slope * h, 6 * h**2 + h**3)

# %% [markdown]
# Each time h is a tenth, the difference is about a hundredth: it shrinks like h², so the
# smaller the move, the better the gradient tells it. (0.09 was right.)
#
# A result may depend on many inputs. Then each has a gradient, and **one** `backward` finds
# them all: that is why networks with millions of weights can be trained. Below, a neuron with
# a thousand weights; moving each weight by itself would take a thousand more forward passes.

# %%
rng = np.random.default_rng(0)
inputs = minigrad.tensor(rng.standard_normal(1000))
weights = minigrad.tensor(rng.standard_normal(1000), requires_grad=True)
loss = ((weights * inputs).sum() - 1) ** 2
loss.backward()
error = (weights.data * inputs.data).sum() - 1
assert np.allclose(weights.grad.data, 2 * error * inputs.data)
print(f"one backward: {weights.grad.size} gradients")

# %% [markdown]
# Two things surprise everyone once. `backward` **adds** to `.grad`: whoever wants the gradient
# of a new result alone sets `x.grad = None` before. And the gradient belongs to the place
# where it was computed: move x, and it has to be computed again.

# %%
f(x).backward()
print(f"after a second backward x.grad is {float(x.grad):g}, twice {slope:g}")
assert float(x.grad) == 2 * slope


def gradient_at(place):
    here = minigrad.tensor(float(place), dtype=np.float64, requires_grad=True)
    f(here).backward()
    return float(here.grad)


def walk(place, lr, steps):
    """Go against the gradient: down, in steps that are long where it is steep."""
    way = [place]
    for _ in range(steps):
        way.append(way[-1] - lr * gradient_at(way[-1]))
    return np.array(way)


down, off = walk(2.0, 0.05, 8), walk(2.0, 0.42, 2)
print("down, lr = 0.05:", *(f"{v:.2f}" for v in down))
print("over the hill, lr = 0.42:", *(f"{v:.2f}" for v in off))
assert np.all(np.diff(f(down)) < 0)

# %% [markdown]
# The gradient points uphill, so x ← x − lr · gradient goes downhill: that is how networks
# learn. The steps shorten by themselves as the slope flattens. With too long a step the walk
# leaps out of the valley and over the hill; from there, down is the other way.

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.3), sharey=True)
line = np.linspace(-2.45, 2.35, 200)
for axes in (left, right):
    axes.plot(line, f(line), color=GREY, linewidth=2)
    axes.set(xlabel="x", ylim=(-7.5, 6.5))
for place, colour, dx, dy in ((-1.6, BLUE, -0.45, 1.7), (0, ORANGE, 0.6, 0.5), (1, GREEN, 0, -1.3)):
    reach, g = np.array([-0.55, 0.55]), gradient_at(place)
    left.plot(place + reach, f(place) + g * reach, color=colour, linewidth=2.5)
    left.plot(place, f(place), "o", color=colour)
    text = f"gradient {g:.3g}".replace("-", "−")
    left.text(place + dx, f(place) + dy, text, color=colour, ha="center", fontsize=11)
left.set(title="The gradient is the slope of the curve", ylabel="f(x) = x³ − 3x")
for way, colour in ((down, BLUE), (off[:2], RED)):
    right.plot(way, f(way), "o-", color=colour, markersize=5)
right.text(1.85, 2.2, "start", ha="right", fontsize=11)
right.text(1.25, -4.2, "short steps:\ninto the valley", color=BLUE, ha="center", fontsize=11)
right.text(-1.7, 2.5, "one step too long:\nover the hill", color=RED, fontsize=11)
right.set_title("Going against it leads down, if the steps are short")
picture(figure, "01-gradient")

# %% [markdown]
# ## Exercises
# Write the functions; run the lesson again to see what is still wrong with them.


# %%
def slope_at(f, x):
    """Estimate the derivative of f at x from values of f alone, to 6 digits (f is smooth)."""
    raise NotImplementedError


def neuron_gradients(w, x, b, t):
    """Return ∂L/∂w, like w, and ∂L/∂b, a number, for L = (Σᵢ wᵢ·xᵢ + b − t)²: arrays w and x."""
    raise NotImplementedError


def descend(f, start, lr, steps):
    """Take steps x ← x − lr · f'(x) with the engine; return the last x as a float."""
    x = minigrad.tensor(start, dtype=np.float64, requires_grad=True)
    for _ in range(steps):
        f(x).backward()
        x.data -= lr * x.grad.data
    return float(x)


exercise(e01.slope_at, slope_at)
exercise(e01.neuron_gradients, neuron_gradients)
exercise(e01.descend, descend)
