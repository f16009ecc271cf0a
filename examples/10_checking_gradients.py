# %% [markdown]
# # 10 Checking gradients
#
# A wrong gradient raises no error; the network trains, a little worse. So gradients are held
# against what the function does: move x a little, and see how far the output goes. How little?
# Which output? And who checks the check?

# %%
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]) if "__file__" in globals() else "..")

import numpy as np
from matplotlib import pyplot as plt

import minigrad
from examples.exercises import e10
from examples.lesson import BLUE, GREY, ORANGE, RED, exercise, picture
from minigrad import functional as F
from minigrad.testing import gradcheck, hunt, mutants
from minigrad.testing.hunting import checker_suite, sum_of_outputs
from minigrad.testing.suite import SUITE

rng = np.random.default_rng(0)
x0, c, v = rng.standard_normal((3, 1, 8))  # where, the output's gradient, and a direction


# %% [markdown]
# ## How small a step?
#
# ⟨gradient, v⟩ should be the slope (f(x + h·v) − f(x − h·v)) / 2h, with f = ⟨c, output⟩. Calculus
# says h → 0. *Predict*: which h from 10⁻¹ to 10⁻¹² is best, in float64 and in float32?


# %%
def f(x):
    out = F.local_response_norm(minigrad.tensor(x), size=3, alpha=1.0)
    return float((c.astype(x.dtype) * out.data).sum(dtype=x.dtype))


def slope_by_gradient():
    x = minigrad.tensor(x0, requires_grad=True)
    F.local_response_norm(x, size=3, alpha=1.0).backward(c)
    return float((x.grad.data * v).sum())


steps = 10.0 ** -np.arange(1, 12.5, 0.5)


def errors(analytic, dtype=np.float64, behind=1):
    """Give |gradient − difference| for every step; behind=0 leaves out the step back."""
    x, d = x0.astype(dtype), v.astype(dtype)
    h = steps.astype(dtype)
    rise = [f(x + s * d) - f(x - behind * s * d) for s in h]
    return np.abs(np.array(rise) / ((1 + behind) * steps) - analytic)


right = slope_by_gradient()
with mutants.find("lrn-cross-term-missing").planted():
    wrong = slope_by_gradient()
taken = errors(right), errors(right, behind=0), errors(right, np.float32), errors(wrong)
names = "float64", "one-sided", "float32", "a wrong gradient"
curves = dict(zip(names, zip(taken, (BLUE, GREY, ORANGE, RED), strict=True), strict=True))
for name, (error, _) in curves.items():
    print(f"{name:16} best step {steps[error.argmin()]:.0e}, error there {error.min():.0e}")
assert curves["float64"][0].min() < 1e-9 < curves["a wrong gradient"][0].min()

# %% [markdown]
# Each is a V. To the right the function bends: the error is like h², or like h if only one side is
# looked at. To the left numbers round: like ε/h. They meet near ∛ε, or √ε. A wrong gradient has no
# V, and that tells it from a badly chosen step.
#
# ## Which output?
#
# f has many outputs, a check needs one number. Summing them looks natural: it is a gradient of all
# ones. *Predict*: plant a softmax whose gradient is always zero. Does that check notice?

# %%
scores = rng.standard_normal((2, 4))
with mutants.find("softmax-gradient-zero").planted():
    sum_of_outputs(lambda x: F.softmax(x, axis=1), [scores])  # raises if it finds a mistake
    print("the sum of the outputs: nothing found")
    report = gradcheck(lambda x: F.softmax(x, axis=1), [scores], raise_error=False)
print("\n".join(str(report).splitlines()[:3]))
assert not report.ok

# %% [markdown]
# Probabilities add up to 1, whatever x is. The sum has no slope, so zeros are *right* for it, and
# it tells nothing of the outputs. `gradcheck` weighs them at random, and refuses ones.
#
# ## Who checks the check?
#
# The engine has a corpus of mistakes. Plant one after the other and see who notices:

# %%
OPERATIONS = "softmax", "concat", "relu", "local_response_norm"
corpus = [mutant for operation in OPERATIONS for mutant in mutants.of_operation(operation)]
reports = {
    "sum of outputs": hunt(checker_suite(sum_of_outputs), corpus),
    "gradcheck": hunt(checker_suite(gradcheck), corpus),
    "our suite": hunt(SUITE, corpus),
}
for name, report in reports.items():
    print(f"{name:15} {report.summary}")
assert not reports["our suite"].survived

# %% [markdown]
# What survives `gradcheck` is wrong in forward *and* backward alike, or only for ∞ and NaN: that
# takes definitions and laws. The whole corpus: `python -m minigrad.testing hunt`.

# %%
figure, (left, grid) = plt.subplots(1, 2, figsize=(11, 5.6), width_ratios=(1.25, 1))
places = (8, (8, -4)), (6, (-64, 4)), (7, (8, 6)), (0, (-122, 7))
for (name, (error, colour)), (i, up) in zip(curves.items(), places, strict=True):
    left.loglog(steps, np.maximum(error, 1e-13), "o-", ms=3, color=colour)
    left.annotate(name, (steps[i], error[i]), up, textcoords="offset points", color=colour)
left.set(title="A right gradient has a V", xlabel="step h", ylabel="|gradient − difference|")
missed = np.array([[not verdict.killed for verdict in r.verdicts] for r in reports.values()]).T
grid.set_title("Planted mistakes: who misses them?")
grid.imshow(missed, cmap="Oranges", vmax=2.2, aspect="auto")
for row, column in np.argwhere(missed):
    grid.text(column, row, "missed", ha="center", va="center", fontsize=9)
grid.set_xticks(range(3), [*reports])
grid.set_yticks(range(len(corpus)), [mutant.name for mutant in corpus], fontsize=9)
picture(figure, "10-gradients")

# %% [markdown]
# ## Exercises


# %%
def numerical_gradient(f, x):
    """Give the gradient of f, which makes one number of an array, at x (any shape, float64)."""
    raise NotImplementedError


exercise(e10.differences_are_taken_well, numerical_gradient)


# %%
def gradient_is_right(forward, backward, x):
    """Say whether backward(x, g) gives the gradient of x (n,), if g is that of forward(x) (m,)."""
    step, numeric = 1e-5, np.zeros_like(x)
    for k, unit in enumerate(np.eye(len(x))):
        numeric[k] = (forward(x + step * unit) - forward(x - step * unit)).sum() / (2 * step)
    return np.allclose(backward(x, np.ones_like(forward(x))), numeric)


exercise(e10.the_check_is_not_blind, gradient_is_right)
