"""What recipes ask of a training: averages, accumulated gradients, other optimisers, pictures.

Networks are narrow here, and each epoch is a few steps.
"""

import csv
import dataclasses
import json
from itertools import pairwise

import numpy as np
import pytest

import minigrad
from googlenet import step as step_module
from googlenet import train as train_module
from googlenet.optimization import groups, optimizer_for, schedule_for
from googlenet.pictures import transforms
from googlenet.recipes import RECIPES as RECIPES_BY_NAME
from googlenet.recipes import Recipe
from googlenet.run_folder import RunFolder, load_model, network
from googlenet.step import Step
from googlenet.train import Training
from minigrad import tensor
from minigrad.data import ArrayDataset, Compose, Normalize, RandomCrop, RandomResizedCrop, ToFloat
from tests.googlenet.test_resume import CONFIG, StopAfter, assert_same, kept, pictures
from tests.googlenet.tiny import photographs, tiny  # noqa: F401 (a fixture)

pytestmark = pytest.mark.usefixtures("tiny")
AVERAGED = {"test_loss_averaged", "test_accuracy_averaged"}


def training(recipe, data=None, **options):
    minigrad.manual_seed(recipe.seed)
    data = data or pictures()
    return Training(network(recipe, len(data.classes), 1), recipe, data, data, **options)


# -- accumulation --------------------------------------------------------------------------------


# Of a step by it the change is the gradient.
PLAIN = Recipe(
    optimizer="sgd", lr=1.0, schedule="constant", warmup=0.0, dropout=0.0, aux_dropout=0.0, epochs=1
)


def batches_of(*sizes):
    """Draw twelve pictures, always the same, in batches of these sizes."""
    rng = np.random.default_rng(0)
    images, labels = rng.standard_normal((12, 1, 32, 32)), rng.integers(0, 3, 12)
    edges = np.cumsum((0, *sizes))
    return [(tensor(images[a:b]), tensor(labels[a:b])) for a, b in pairwise(edges)]


def a_step(recipe, batches):
    """Take one step of SGD in float64; return the parameters before and after."""
    minigrad.manual_seed(1)
    net = network(recipe, 3, 1).astype(np.float64).train()
    before = {name: array.copy() for name, array in net.state_dict().items()}
    optimizer = optimizer_for(recipe, groups(net, recipe))
    step = Step(net, recipe, optimizer, schedule_for(recipe, optimizer, 1))
    step(batches)
    return before, net.state_dict()


@pytest.mark.parametrize("sizes", [(4, 4, 4), (5, 5, 2), (12,), (1, 11)])
def test_batches_of_a_step_are_one_large_batch(sizes, monkeypatch):
    """The gradients, heads included, in a network without batch normalisation."""
    monkeypatch.setattr(step_module, "in_precision", lambda images, precision: images)
    before, one = a_step(PLAIN, batches_of(12))
    _, several = a_step(PLAIN, batches_of(*sizes))
    moved = 0
    for name, array in one.items():
        change = array - before[name]
        moved += np.abs(change).max() > 0
        scale = np.abs(change).max() or 1.0
        np.testing.assert_allclose(
            several[name] - before[name], change, rtol=0, atol=1e-10 * scale, err_msg=name
        )
    assert moved > 60


def test_steps_are_counted_and_not_batches():
    """8 pictures in batches of 3 are 3 batches: in pairs, 2 steps of an epoch."""
    told = []

    class Told:
        def step(self, images, means, rate):
            told.append((images, run.optimizer.groups[0]["lr"]))

        def epoch(self, metrics):
            told.append("epoch")

    recipe = Recipe(batch_size=3, accumulate=2, epochs=2, schedule="step", gamma=0.5, warmup=0.0)
    run = training(recipe)
    assert recipe.steps(8) == 2
    assert run.run(Told())
    half, quarter = recipe.lr / 2, recipe.lr / 4
    assert told == [
        (6, recipe.lr), (2, half), "epoch", (6, half), (2, quarter), "epoch",
    ]  # fmt: skip
    assert run.schedule.steps_done == 4
    assert len(run.optimizer.state) == len(list(run.net.parameters()))


RECIPES = {
    "averages": Recipe(batch_size=3, epochs=2, seed=5, average="ema", average_decay=0.5),
    "a late mean": Recipe(batch_size=3, epochs=2, seed=5, average="mean", average_start=0.5),
    "accumulation": Recipe(
        batch_size=2, accumulate=3, epochs=2, seed=5, average="mean", batch_norm=True
    ),
    "Caffe's": Recipe(
        batch_size=3, epochs=2, optimizer="sgd", lr=0.01, momentum=0.9, weight_decay=2e-4,
        bias_lr=2.0, bias_weight_decay=0.0, schedule="step", gamma=0.96, warmup=0.0,
    ),
    "Adadelta": Recipe(batch_size=3, epochs=2, optimizer="adadelta", lr=1.0, schedule="constant"),
    "Inception v3's": Recipe(
        batch_size=2, accumulate=2, epochs=2, optimizer="rmsprop", alpha=0.9, eps=1.0, momentum=0.9,
        lr=0.045, clip_grad_norm=0.5, schedule="step", gamma=0.94, warmup=0.0, average="ema",
    ),
    "frozen": Recipe(batch_size=3, epochs=2, batch_norm=True, freeze=("conv*",), average="ema"),
    "scaled": Recipe(batch_size=2, accumulate=2, epochs=2, precision="mixed", average="mean"),
}  # fmt: skip


@pytest.mark.parametrize("name", RECIPES)
def test_stopped_after_every_step_it_ends_the_same_to_the_bit(name):
    recipe = RECIPES[name]
    whole = training(recipe)
    assert whole.run()
    run, stops = training(recipe), 0
    while not run.run(StopAfter(run, 1)):
        state, run = kept(run), training(recipe)
        run.load_state_dict(state)
        stops += 1
    assert stops >= 3
    assert_same(run, whole)
    if run.average is not None:
        for label, array in whole.average.weights().items():
            np.testing.assert_array_equal(run.average.weights()[label], array, label)
        assert run.average.n_averaged == whole.average.n_averaged > 0


class Failing(ArrayDataset):
    """Whose pictures cannot be read from one moment on."""

    left = 1000

    def __getitem__(self, index):
        if self.left == 0:
            raise ValueError("damaged")
        type(self).left -= 1
        return super().__getitem__(index)


def test_a_picture_that_cannot_be_read_within_a_step_leaves_a_state_that_is_whole(monkeypatch):
    """Batch normalisation and dropout have not seen the step's first batch."""
    recipe, data = RECIPES["accumulation"], pictures(10)
    whole = training(recipe, data)
    assert whole.run()
    failing = Failing(data.images, data.labels, data.classes)
    monkeypatch.setattr(Failing, "left", 9)  # one step of 6, one batch of 2, and half of the next
    first = training(recipe, failing)
    with pytest.raises(RuntimeError, match="damaged"):
        first.run()
    state = kept(first)
    assert state["values"]["loader"] == {"epoch": 0, "batches": 3}
    assert state["values"]["means"]["count"] == 6
    again = training(recipe, data)
    again.load_state_dict(state)
    assert again.run()
    assert_same(again, whole)


# -- averages ------------------------------------------------------------------------------------


def test_averaged_weights_are_those_of_all_steps_and_tested_beside_the_others():
    recipe, seen = dataclasses.replace(RECIPES["averages"], average="mean"), []

    class Seen:
        def step(self, images, means, rate):
            seen.append({n: a.copy() for n, a in run.net.state_dict().items()})

        def epoch(self, metrics):
            pass

    run = training(recipe)
    run.run(Seen())
    for name, array in run.average.weights().items():
        wanted = np.mean([each[name].astype(np.float64) for each in seen], 0)
        np.testing.assert_allclose(array, wanted, rtol=1e-5, atol=1e-7)
        np.testing.assert_array_equal(run.net.state_dict()[name], seen[-1][name])
    row = run.history[-1]
    assert set(row) >= AVERAGED
    run.net.load_state_dict(run.average.weights())
    loss, accuracy = train_module.evaluate(run.net, run.test_batches)
    assert (loss, accuracy) == (row["test_loss_averaged"], row["test_accuracy_averaged"])
    assert loss != row["test_loss"]


def test_without_averages_nothing_is_said_of_them():
    run = training(Recipe(batch_size=8, epochs=1))
    run.run()
    assert run.average is None
    assert not AVERAGED & set(run.history[0])
    assert "average" not in run.state_dict()["values"]


def test_a_step_that_was_left_out_is_not_averaged():
    run = training(RECIPES["scaled"])
    run.step.scaler._change(2.0**120)
    with np.errstate(all="ignore"):
        run.run(StopAfter(run, 1))
    assert run.average.steps == 0
    assert run.schedule.steps_done == 1


def test_stopped_in_the_second_test(monkeypatch):
    recipe = RECIPES["averages"]
    whole = training(recipe)
    whole.run()
    first, sound, tests = training(recipe), train_module.evaluate, []

    def interrupted(net, batches, precision, stopped):
        tests.append(net)
        if len(tests) == 2:
            first.stop()
        return sound(net, batches, precision, stopped)

    monkeypatch.setattr(train_module, "evaluate", interrupted)
    assert not first.run()
    assert first.history == []
    monkeypatch.undo()
    state, again = kept(first), training(recipe)
    again.load_state_dict(state)
    assert again.run()
    assert_same(again, whole)


def test_a_folder_keeps_both(tmp_path):
    recipe = RECIPES["averages"]
    folder = RunFolder.create(tmp_path / "run")
    folder.write_config(recipe, **CONFIG)
    folder.training = run = training(recipe)
    run.run(folder)
    folder.finish("abc", run.transform)
    folder.close()
    raw, averaged = (load_model(tmp_path / "run", averaged) for averaged in (False, True))
    assert (raw.averaged, averaged.averaged) == (False, True)
    for name, array in run.average.weights().items():
        np.testing.assert_array_equal(averaged.net.state_dict()[name], array)
        np.testing.assert_array_equal(raw.net.state_dict()[name], run.net.state_dict()[name])
    assert load_model(tmp_path / "run/averaged.safetensors").averaged
    with open(tmp_path / "run/metrics.csv") as file:
        assert set(next(csv.DictReader(file))) >= AVERAGED
    (tmp_path / "run/averaged.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="has no averaged weights"):
        load_model(tmp_path / "run", averaged=True)


def test_a_state_without_its_average_is_refused():
    run = training(RECIPES["averages"])
    run.run(StopAfter(run, 1))
    state = kept(run)
    del state["arrays"]["average.classifier.weight"]
    with pytest.raises(ValueError, match=r"missing: classifier.weight"):
        training(RECIPES["averages"]).load_state_dict(state)
    del state["values"]["average"]
    with pytest.raises(ValueError, match="the state is not that of a training"):
        training(RECIPES["averages"]).load_state_dict(state)


# -- what else a recipe says -----------------------------------------------------------------------


def test_the_weight_of_the_heads_is_the_recipes():
    rows = {}
    for weight in (0.0, 0.3):
        run = training(Recipe(batch_size=8, epochs=1, aux_weight=weight))
        run.run()
        rows[weight] = run.history[0]
    assert rows[0.0]["loss"] == rows[0.0]["loss_logits"]
    heads = rows[0.3]["loss_aux_4a"] + rows[0.3]["loss_aux_4d"]
    assert rows[0.3]["loss"] == pytest.approx(rows[0.3]["loss_logits"] + 0.3 * heads)


def test_the_network_is_the_recipes():
    recipe = Recipe(dialect="cifar", variant="short2", init="default", dropout=0.25)
    net = network(recipe, 5, 3)
    assert net.stages == [stage.name for stage in recipe.design().stages]
    assert "inception_4b" not in net.stages
    assert net.dropout.p == 0.25
    assert net.init == "default"
    own = network(Recipe(stages="3a pool 5b"), 5, 3)
    assert [name for name in own.stages if name.startswith("inception")] == [
        "inception_3a", "inception_5b",
    ]  # fmt: skip


# -- pictures ------------------------------------------------------------------------------------


def test_normalisations():
    data = pictures()
    whole = data.images / 255

    def last(**options):
        return transforms(Recipe(**options), data)[1].transforms[-1]

    usual = last()
    np.testing.assert_allclose(usual.mean, whole.mean((0, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(usual.std, whole.std((0, 2, 3)), rtol=1e-6)
    assert last(normalization="half") == Normalize(0.5, 0.5)
    assert last(normalization="scale") == ToFloat()
    assert last(normalization="fixed", mean=(0.1,), std=(0.2,)) == Normalize([0.1], [0.2])
    bytes_ = last(normalization="mean")(data.images[0], np.random.default_rng(0))
    wanted = data.images[0] - data.images.mean((0, 2, 3))[:, None, None]
    np.testing.assert_allclose(bytes_, wanted, atol=1e-3)


def test_small_pictures_are_shifted_if_asked_for():
    train, test = transforms(Recipe(pad=4), pictures())
    assert RandomCrop(32, 4) in train.transforms
    assert RandomCrop(32, 4) not in test.transforms
    assert not any(
        isinstance(t, RandomCrop) for t in transforms(Recipe(), pictures())[0].transforms
    )


def test_pictures_can_be_written_down():
    """The model says what pictures go through in use."""
    for kind in ("dataset", "mean", "half", "scale"):
        used = transforms(Recipe(normalization=kind), pictures())[1]
        text = json.dumps(used.to_dict())
        again = minigrad.data.transform_from_dict(json.loads(text))
        assert isinstance(again, Compose)
        image, rng = pictures()[0][0], np.random.default_rng(0)
        np.testing.assert_array_equal(again(image, rng), used(image, rng))


def test_photographs_are_changed_as_the_recipe_says(tmp_path):
    folder = minigrad.data.ImageFolder(photographs(tmp_path))
    paper = RECIPES_BY_NAME["paper"].recipe
    train, test = transforms(paper, folder)
    crop = RandomResizedCrop(224, (0.08, 1.0), (3 / 4, 4 / 3), "random")
    names = [type(each).__name__ for each in train.transforms]
    assert train.transforms[1] == crop
    assert names == [
        "RandomHorizontalFlip", "RandomResizedCrop", "ColorJitter", "RandomLighting", "Normalize",
    ]  # fmt: skip
    assert [type(each).__name__ for each in test.transforms] == [
        "Resize", "CenterCrop", "Normalize",
    ]  # fmt: skip
    image, rng = folder[0][0], np.random.default_rng(0)
    assert train(image, rng).shape == test(image, rng).shape == (3, 224, 224)
    for kind, last in (("jitter", "ColorJitter"), ("distort", "RandomPhotometricDistort")):
        changed, _ = transforms(Recipe(photometric=kind), folder)
        assert type(changed.transforms[-2]).__name__ == last
        grey = minigrad.data.ImageFolder(tmp_path, channels=1)
        assert transforms(Recipe(photometric=kind), grey)[0](grey[0][0], rng).shape == (1, 32, 32)
