"""Gradients cut to a norm, as the recipe of Inception v3 asks for."""

import dataclasses

import numpy as np
import pytest

import minigrad
from googlenet import step as step_module
from googlenet.optimization import optimizer_for
from googlenet.recipes import RECIPES, Recipe
from minigrad import tensor
from tests.googlenet.test_training_recipes import PLAIN, a_step, batches_of, training
from tests.googlenet.tiny import tiny  # noqa: F401 (a fixture)

pytestmark = pytest.mark.usefixtures("tiny")


@pytest.mark.parametrize("sizes", [(12,), (5, 5, 2)])
def test_gradients_are_cut_to_their_norm_together(sizes, monkeypatch):
    """Of a step of SGD with rate 1 the change is the gradient; its direction stays."""
    monkeypatch.setattr(step_module, "in_precision", lambda images, precision: images)

    def moved(norm):
        before, after = a_step(dataclasses.replace(PLAIN, clip_grad_norm=norm), batches_of(*sizes))
        return np.concatenate([(after[n] - before[n]).ravel() for n in before])

    free = moved(0.0)
    length = np.linalg.norm(free)
    np.testing.assert_allclose(moved(length / 4), free / 4, atol=1e-5 * length)
    np.testing.assert_array_equal(moved(2 * length), free)


def test_scaled_gradients_are_cut_as_what_they_stand_for():
    """The scale of the loss, 2^16, is divided out before the norm is measured."""
    changes = {}
    for scale in (2.0**10, 2.0**14):
        run = training(
            Recipe(
                batch_size=8, epochs=1, precision="mixed", optimizer="sgd", lr=1.0, warmup=0.0,
                clip_grad_norm=0.01, schedule="constant",
            )
        )  # fmt: skip
        run.step.scaler._change(scale)
        before = {n: a.copy() for n, a in run.net.state_dict().items()}
        run.run()
        changes[scale] = np.concatenate(
            [(a - before[n]).ravel() for n, a in run.net.state_dict().items()]
        )
    assert np.linalg.norm(changes[2.0**10]) == pytest.approx(0.01, rel=1e-3)
    np.testing.assert_allclose(*changes.values(), atol=1e-4)


def test_a_step_by_inception_v3s_recipe_is_pytorchs():
    torch = pytest.importorskip("torch")
    recipe = RECIPES["inception-v3"].recipe
    rng = np.random.default_rng(3)
    weights = rng.standard_normal(40).astype(np.float32)
    ours = minigrad.nn.Parameter(weights.copy())
    theirs = torch.nn.Parameter(torch.tensor(weights))
    optimizer = optimizer_for(recipe, [ours])
    judge = torch.optim.RMSprop(
        [theirs], lr=0.045, alpha=0.9, eps=1.0, momentum=0.9, weight_decay=4e-5
    )
    for _ in range(5):
        gradient = rng.standard_normal(40).astype(np.float32) * 3
        ours.grad, theirs.grad = tensor(gradient.copy()), torch.tensor(gradient)
        minigrad.optim.clip_grad_norm_([ours], recipe.clip_grad_norm)
        torch.nn.utils.clip_grad_norm_([theirs], 2.0)
        optimizer.step()
        judge.step()
    np.testing.assert_allclose(ours.numpy(), theirs.detach().numpy(), rtol=1e-5, atol=1e-6)
