"""Recipes: their values as published, their rates at steps worked out by hand, and their files."""

import dataclasses
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from googlenet.optimization import average_for, groups, optimizer_for, rates, schedule_for
from googlenet.recipes import (
    RECIPES,
    Recipe,
    changed,
    differences,
    for_photographs,
    from_mapping,
    named,
    names,
    read_recipe,
    rule,
    settings,
    written,
)
from minigrad import nn, optim
from tests.googlenet.tiny import call, narrow_networks, photographs, tiny  # noqa: F401 (a fixture)


def of(name):
    return RECIPES[name].recipe


# -- as published --------------------------------------------------------------------------------


def test_the_default_is_what_it_was():
    """Old runs do not say more than this."""
    old = {
        "image_size": 32, "batch_size": 64, "epochs": 12, "lr": 7e-4, "betas": [0.9, 0.99],
        "warmup": 0.05, "weight_decay": 0.0, "label_smoothing": 0.1, "dropout": 0.4,
        "aux_dropout": 0.7, "flip": True, "crop": 0.35, "batch_norm": False, "aux_heads": True,
        "precision": "float32", "seed": 0,
    }  # fmt: skip
    read = from_mapping(old, "config.json")
    assert read == dataclasses.replace(Recipe(), batch_norm=False)
    assert (read.optimizer, read.schedule, read.init, read.average) == (
        "adam", "cosine", "he", "none",
    )  # fmt: skip
    assert read.normalized is Recipe().normalized is False
    assert of("default") == Recipe()


PUBLISHED = {
    "paper": {
        "optimizer": "sgd", "momentum": 0.9, "schedule": "step", "gamma": 0.96, "step_size": 8,
        "schedule_unit": "epochs", "average": "mean", "crop": 0.08, "aspect": (3 / 4, 4 / 3),
        "flip": True, "photometric": "paper", "interpolation": "random", "aux_weight": 0.3,
        "image_size": 224, "dialect": "paper",
    },
    "caffe": {
        "optimizer": "sgd", "lr": 0.01, "momentum": 0.9, "weight_decay": 2e-4, "batch_size": 32,
        "bias_lr": 2, "bias_weight_decay": 0, "schedule": "step", "gamma": 0.96,
        "step_size": 320_000, "schedule_unit": "steps", "epochs": 60, "init": "xavier",
    },
    "caffe-quick": {
        "schedule": "poly", "power": 0.5, "schedule_length": 2_400_000, "schedule_unit": "steps",
        "lr": 0.01, "bias_lr": 2,
    },
    "keras-cifar10": {
        "image_size": 224, "normalization": "scale", "optimizer": "sgd", "lr": 0.01,
        "momentum": 0.9, "batch_size": 256, "aux_weight": 0.3, "aux_dropout": 0.7, "dropout": 0.4,
        "epochs": 25, "init": "xavier",
    },
    "pytorch-cifar": {
        "image_size": 32, "flip": True, "normalization": "half", "optimizer": "adadelta",
        "lr": 1.0, "batch_size": 64, "gamma": 0.7, "epochs": 14, "dialect": "cifar",
    },
    "cifar100": {
        "optimizer": "sgd", "lr": 0.1, "momentum": 0.9, "weight_decay": 5e-4, "batch_size": 128,
        "milestones": (60, 120, 160), "gamma": 0.2, "warmup_epochs": 1, "epochs": 200,
    },
    "fashion-mnist": {"image_size": 96},
}  # fmt: skip


@pytest.mark.parametrize(("name", "values"), PUBLISHED.items(), ids=PUBLISHED)
def test_values_are_those_of_the_source_and_marked_so(name, values):
    known = RECIPES[name]
    for option, value in values.items():
        assert getattr(known.recipe, option) == value, option
        assert known.origin(option) == "published", option
    assert known.recipe.name == name
    assert known.source
    assert known.result


@pytest.mark.parametrize("name", RECIPES)
def test_every_value_says_where_it_is_from(name):
    known = RECIPES[name]
    for option in names():
        origin = known.origin(option)
        is_default = getattr(known.recipe, option) == getattr(Recipe(), option)
        assert origin.startswith(("published", "chosen: ", "default"))
        assert is_default or origin != "default", option
        assert option not in known.recipe.unused() or origin == "default", option


# -- rates ---------------------------------------------------------------------------------------


def rate(name, per_epoch, *epochs):
    return rates(of(name), per_epoch, [round(epoch * per_epoch) for epoch in epochs])


def test_the_papers_rate():
    found = rate("paper", 40_037, 0, 7.99, 8, 16, 59)
    assert found == pytest.approx([0.01, 0.01, 0.0096, 0.009216, 0.01 * 0.96**7])


def test_caffes_rates():
    found = rates(of("caffe"), 40_037, [0, 319_999, 320_000, 2_399_999])
    assert found == pytest.approx([0.01, 0.01, 0.0096, 0.01 * 0.96**7])
    quick = rates(of("caffe-quick"), 40_037, [0, 600_000, 1_800_000, 2_399_999, 2_400_000])
    assert quick == pytest.approx([0.01, 0.01 * 0.75**0.5, 0.005, 0.01 / 2_400_000**0.5, 0.0])


@pytest.mark.parametrize("per_epoch", [1, 196, 197])
def test_kerass_rate_counts_its_epochs_from_one(per_epoch):
    found = rate("keras-cifar10", per_epoch, *range(25))
    assert found == pytest.approx([0.01 * 0.96 ** ((1 + epoch) // 8) for epoch in range(25)])
    last = rates(of("keras-cifar10"), per_epoch, [7 * per_epoch - 1, 7 * per_epoch])
    assert last == pytest.approx([0.01, 0.0096])


def test_the_rate_of_pytorch_cifar():
    assert rate("pytorch-cifar", 782, 0, 0.999, 1, 13) == pytest.approx([1, 1, 0.7, 0.7**13])


def test_the_rate_of_cifar100():
    found = rates(of("cifar100"), 391, [0, 194, 390, 391])
    assert found == pytest.approx([0.1 / 392, 0.1 * 195 / 392, 0.1 * 391 / 392, 0.1])
    found = rate("cifar100", 391, 59.99, 60, 120, 160, 199)
    assert found == pytest.approx([0.1, 0.02, 0.004, 0.0008, 0.0008])


def test_our_own_rate():
    found = rates(Recipe(), 79, [0, 46, 47, 947])
    turn = math.pi * 900 / 901
    assert found == pytest.approx(
        [7e-4 / 48, 7e-4 * 47 / 48, 7e-4, 7e-4 * (1 + math.cos(turn)) / 2]
    )


@given(
    size=st.floats(0.3, 9), share=st.floats(0, 0.99), per_epoch=st.integers(1, 50),
    gamma=st.floats(0.1, 1),
)  # fmt: skip
def test_steps_with_an_offset_are_their_formula(size, share, per_epoch, gamma):
    offset = size * share
    recipe = Recipe(
        schedule="step", step_size=size, step_offset=offset, gamma=gamma, warmup=0.0, epochs=10
    )
    size, offset = size * per_epoch, offset * per_epoch
    steps = range(10 * per_epoch)
    found = rates(recipe, per_epoch, steps)
    for step, value in zip(steps, found, strict=True):
        near = abs((step + offset) / size - round((step + offset) / size)) * size <= 1
        if not near:  # falls are rounded to whole steps
            assert value == pytest.approx(recipe.lr * gamma ** ((step + offset) // size))


def test_other_schedules():
    epochs = {"warmup": 0.0, "epochs": 4, "lr": 1.0}
    smooth = Recipe(schedule="exponential", gamma=0.5, **epochs)
    assert rates(smooth, 10, [0, 5, 10, 20]) == pytest.approx([1, 0.5**0.5, 0.5, 0.25])
    constant = Recipe(schedule="constant", warmup=0.5, epochs=2, lr=1.0)
    assert rates(constant, 10, [0, 4, 10, 19]) == pytest.approx([1 / 11, 5 / 11, 1, 1])
    short = Recipe(schedule="cosine", schedule_length=2, floor=0.1, **epochs)
    assert rates(short, 10, [0, 10, 20, 30]) == pytest.approx([1, 0.55, 0.1, 0.1])
    both = Recipe(schedule="multistep", schedule_unit="steps", milestones=(3, 7), **epochs)
    assert rates(both, 10, [2, 3, 7]) == pytest.approx([1, 0.1, 0.01])


# -- groups, optimisers, averages ------------------------------------------------------------------


class Net(nn.Module):
    def __init__(self):
        self.conv = nn.Conv2d(1, 2, 1)
        self.aux_4a = nn.Sequential()
        self.aux_4a.classifier = nn.Linear(2, 2)
        self.classifier = nn.Linear(2, 2)


def by_name(recipe, net):
    found = groups(net, recipe)
    known = {id(p): name for name, p in net.named_parameters()}
    return [(g["lr"], g["weight_decay"], sorted(known[id(p)] for p in g["params"])) for g in found]


def test_caffes_biases_train_at_twice_the_rate_and_do_not_decay():
    weights, biases = by_name(of("caffe"), Net())
    assert weights == (0.01, 2e-4, ["aux_4a.classifier.weight", "classifier.weight", "conv.weight"])
    assert biases == (0.02, 0.0, ["aux_4a.classifier.bias", "classifier.bias", "conv.bias"])


def test_one_group_where_nothing_differs_in_the_order_of_the_network():
    net = Net()
    (group,) = groups(net, Recipe())
    assert [id(p) for p in group["params"]] == [id(p) for p in net.parameters()]


def test_the_backbone_at_a_lower_rate_comes_after_the_classifiers():
    recipe = Recipe(lr=1.0, weight_decay=0.1, backbone_lr=0.1, bias_lr=2, bias_weight_decay=0)
    found = by_name(recipe, Net())
    assert found[0] == (1.0, 0.1, ["aux_4a.classifier.weight", "classifier.weight"])
    assert (2.0, 0.0, ["aux_4a.classifier.bias", "classifier.bias"]) in found
    assert (0.1, 0.1, ["conv.weight"]) in found
    assert (0.2, 0.0, ["conv.bias"]) in found


OPTIMIZERS = {
    "sgd": (optim.SGD, {"momentum": 0.3, "nesterov": True}),
    "adam": (optim.Adam, {"betas": (0.5, 0.6), "eps": 0.1}),
    "adamw": (optim.AdamW, {"betas": (0.5, 0.6), "eps": 0.1}),
    "rmsprop": (optim.RMSprop, {"momentum": 0.3, "alpha": 0.5, "eps": 0.1}),
    "adadelta": (optim.Adadelta, {"rho": 0.5, "eps": 0.1}),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimisers_get_all_that_the_recipe_says(name):
    kind, options = OPTIMIZERS[name]
    recipe = Recipe(optimizer=name, lr=0.2, weight_decay=0.01, **options)
    optimizer = optimizer_for(recipe, list(Net().parameters()))
    assert type(optimizer) is kind
    (group,) = optimizer.groups
    assert {n: group[n] for n in options} == options
    assert (group["lr"], group["weight_decay"]) == (0.2, 0.01)
    assert set(options) <= set(names()) - set(recipe.unused())


def test_schedules_change_all_groups_in_proportion():
    optimizer = optimizer_for(of("caffe"), groups(Net(), of("caffe")))
    schedule = schedule_for(
        changed(of("caffe"), {"schedule_unit": "epochs", "step_size": 1}), optimizer, 2
    )
    schedule.step()
    schedule.step()
    assert [g["lr"] for g in optimizer.groups] == pytest.approx([0.0096, 0.0192])


def test_averages():
    net = Net()
    assert average_for(Recipe(), net, 10) is None
    mean = average_for(Recipe(average="mean", average_start=0.5, epochs=4), net, 10)
    assert (mean.decay, mean.start) == (None, 20)
    assert average_for(Recipe(average="ema", average_decay=0.9), net, 10).decay == 0.9


# -- values from outside -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"lr": 0}, "lr must be a number above 0, got 0"),
        ({"lr": True}, "lr must be a number above 0, got True"),
        ({"lr": math.nan}, "lr must be a number above 0, got nan"),
        ({"lr": "1"}, "lr must be a number above 0, got '1'"),
        ({"epochs": 1.0}, "epochs must be an integer of at least 1, got 1.0"),
        ({"crop": 0.0}, r"crop must lie in \(0, 1\], got 0.0"),
        ({"dropout": 1}, r"dropout must lie in \[0, 1\), got 1"),
        ({"flip": 1}, "flip must be true or false, got 1"),
        ({"optimizer": "sdg"}, "optimizer must be one of sgd, adam"),
        ({"optimizer": ["sgd"]}, "optimizer must be one of"),
        ({"betas": (0.9,)}, r"betas must be two numbers in \[0, 1\), got \(0.9,\)"),
        ({"milestones": (2, 1)}, "milestones must be numbers above 0, each larger"),
        ({"aspect": (2, 1)}, "aspect must be two numbers above 0, the lower first"),
        ({"std": (0.0,)}, "std must be one or three numbers"),
        ({"freeze": ("",)}, "freeze must be patterns"),
        ({"stages": "3a 3b nix"}, "nix"),
        ({"dialect": "french"}, "dialect must be one of paper"),
        ({"image_size": 31}, "image_size must be an integer of at least 32, got 31"),
        ({"image_size": 7, "dialect": "cifar"}, "image_size must be an integer of at least 8"),
        ({"optimizer": "sgd", "nesterov": True}, "nesterov looks along the momentum"),
        ({"step_offset": 1.0}, r"step_offset must be less than step_size \(1.0\), got 1.0"),
        ({"schedule": "multistep"}, "milestones must be given"),
        ({"warmup_epochs": 1.0}, "warmup and warmup_epochs say the same"),
        ({"normalization": "fixed"}, "mean and std must be as many numbers"),
        ({"name": "a\nb"}, "name must be a line"),
    ],
)
def test_values_that_mean_nothing_are_refused(values, sentence):
    with pytest.raises(ValueError, match=sentence):
        Recipe(**values)


@pytest.mark.parametrize("name", RECIPES)
def test_every_value_is_read_as_it_is_written(name):
    for option in names():
        value = getattr(of(name), option)
        again = rule(option).parse(option, written(value))
        if option == "aspect":  # written with six digits
            assert again == pytest.approx(value, rel=1e-5)
        else:
            assert again == value, option


@given(text=st.text(max_size=30), name=st.sampled_from(names()))
def test_any_text_is_a_value_or_a_sentence(text, name):
    value, said = None, ""
    try:
        value = rule(name).parse(name, text)
    except ValueError as error:
        said = str(error)
    assert (said or f"{name} must ").startswith(f"{name} must ")
    if not said:
        json.dumps(value)
        assert rule(name).check(name, value) == value


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=5,
)


@given(values=st.dictionaries(st.sampled_from(names()) | st.text(max_size=6), anything, max_size=4))
def test_files_may_say_anything(values, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_text(json.dumps(values))
    read, said = None, ""
    try:
        read = read_recipe(path)
    except ValueError as error:
        said = str(error)
    assert isinstance(read, Recipe) or said.startswith(f"{str(path)!r}: ")


def test_a_recipe_goes_through_json():
    for known in RECIPES.values():
        text = json.dumps(dataclasses.asdict(known.recipe))
        assert from_mapping(json.loads(text), "x") == known.recipe


def test_settings():
    pairs = [
        "lr=2e-3",
        " milestones = [3, 5.5] ",
        "flip=False",
        "stages=3a pool",
        "batch_norm=none",
    ]
    assert settings(pairs) == {
        "lr": 2e-3, "milestones": (3, 5.5), "flip": False, "stages": "3a pool", "batch_norm": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("pair", "sentence"),
    [
        ("lr", "--set takes NAME=VALUE, got 'lr'"),
        ("momemtum=0.9", "no hyperparameter 'momemtum': did you mean 'momentum'?"),
        ("xyzzy=1", "no hyperparameter 'xyzzy'. There are architecture, dialect"),
        ("name=x", "no hyperparameter 'name'"),
        ("lr=fast", "lr must be a number above 0, got 'fast'"),
        ("lr=inf", "lr must be a number above 0, got inf"),
        ("epochs=1.5", "epochs must be an integer of at least 1, got '1.5'"),
    ],
)
def test_settings_that_are_wrong(pair, sentence):
    with pytest.raises(ValueError, match=".") as caught:
        settings([pair])
    assert sentence in str(caught.value)


def test_files(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('base = "caffe"\nlr = 0.02\nmilestones = [3, 5]\nbatch_norm = true\n')
    mine = read_recipe(path)
    assert (mine.name, mine.lr, mine.milestones, mine.bias_lr) == ("caffe", 0.02, (3, 5), 2.0)
    assert differences(mine) == ["batch_norm", "lr", "milestones"]
    (tmp_path / "mine.json").write_text('{"epochs": 3}')
    assert read_recipe(tmp_path / "mine.json") == Recipe(epochs=3)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.toml", b"lr = ", "'a.toml': "),
        ("a.toml", b"\xff", "'a.toml': "),
        ("a.json", b"[" * 10_000, "'a.json': "),
        ("a.json", b"[1]", "'a.json': a table of hyperparameters was needed"),
        ("a.json", b'{"base": 3}', "base must be the name of a recipe, got 3"),
        ("a.json", b'{"base": "cafe"}', "no recipe 'cafe': did you mean 'caffe'?"),
        ("a.toml", b"Lr = 1", "did you mean 'lr'?"),
        ("a.toml", b"x = '" + b"a" * 70_000 + b"'", "at most 65,536 bytes"),
        ("a.json", b'{"lr": NaN}', "lr must be a number above 0, got nan"),
    ],
)
def test_files_that_are_wrong(tmp_path, monkeypatch, name, content, sentence):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=".") as caught:
        read_recipe(name)
    assert sentence in str(caught.value)


def test_what_is_no_recipe():
    with pytest.raises(FileNotFoundError, match=r"there is no recipe 'gone.toml'"):
        read_recipe("gone.toml")
    with pytest.raises(ValueError, match="no recipe 'papier': did you mean 'paper'"):
        named("papier")


def test_a_folder_gets_batches_and_epochs_that_suit_it():
    assert for_photographs(72) == {"batch_size": 8, "epochs": 45}


# -- the commands --------------------------------------------------------------------------------


def test_list_and_show():
    listed = call("recipe", "list")
    assert listed.code == 0
    for name in RECIPES:
        assert name in listed.out
        shown = call("recipe", "show", name)
        assert shown.code == 0
        for option in names():
            assert f"  {option} " in shown.out
        assert "learning rate over" in shown.out
    assert [each["name"] for each in json.loads(call("recipe", "list", "--json").out)] == list(
        RECIPES
    )


def test_show_as_json():
    shown = json.loads(call("recipe", "show", "caffe", "--json").out)
    values = shown["hyperparameters"]
    assert list(values) == names()
    assert values["bias_lr"] == {
        "value": 2.0, "origin": "published", "used": True, "about": values["bias_lr"]["about"],
    }  # fmt: skip
    assert values["crop"]["origin"].startswith("chosen: ")
    assert values["betas"]["used"] is False
    assert len(shown["learning_rate_of_epochs"]) == 60
    assert shown["steps_per_epoch"] == 40_037


def test_show_a_file(tmp_path):
    (tmp_path / "mine.toml").write_text('base = "caffe"\nlr = 0.02')
    shown = json.loads(call("recipe", "show", tmp_path / "mine.toml", "--json").out)
    assert shown["hyperparameters"]["lr"]["origin"] == "here"


def trained(folder, *options):
    done = call("train", "--run", folder / "run", "--pictures", "8", "--workers", "1", *options)
    return done, folder / "run"


def test_train_by_a_recipe(tiny, tmp_path):  # noqa: F811
    done, run = trained(
        tmp_path, "--recipe", "caffe", "--data", "embedded", "--epochs", "1", "--image-size", "32",
        "--set", "batch_size=4", "--set", "average=ema",
    )  # fmt: skip
    assert done.code == 0, done.err
    said = "recipe: caffe, but image_size 32, batch_size 4, epochs 1, average ema"
    assert said in done.out
    assert "averaged" in done.out
    recipe = json.loads((run / "config.json").read_text())["recipe"]
    assert (recipe["name"], recipe["lr"], recipe["batch_size"]) == ("caffe", 0.01, 4)
    assert set(recipe) == {"name", *names()}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--recipe", "paper"], "the recipe 'paper' is meant for ImageNet (ILSVRC 2012)"),
        (["--recipe", "caff"], "did you mean 'caffe'?"),
        (["--recipe", "gone.toml"], "there is no recipe 'gone.toml'"),
        (["--set", "lrr=1"], "did you mean 'lr'?"),
        (["--set", "lr=1", "--lr", "2"], "lr is given twice, by --lr and by --set"),
        (["--set", "lr=1", "--set", "lr=2"], "--set lr is given twice"),
        (["--set", "momentum=0.5"], "momentum changes nothing with optimizer adam"),
        (["--set", "average_decay=0.5"], "average_decay changes nothing with average none"),
        (["--stages", "3a 9z"], "9z"),
    ],
)
def test_what_cannot_be_is_one_sentence(tmp_path, options, sentence):
    done, run = trained(tmp_path, *options)
    assert done.code == 2
    assert sentence in done.err
    assert len([line for line in done.err.splitlines() if line.startswith("Error: ")]) == 1
    assert not run.exists()


def test_a_named_recipe_does_not_bend_to_a_folder(tmp_path):
    photographs(tmp_path / "pictures")
    with narrow_networks():
        done = call(
            "train", "--run", tmp_path / "run", "--recipe", "cifar100", "--data",
            tmp_path / "pictures", "--epochs", "1", "--set", "warmup_epochs=0",
        )  # fmt: skip
    assert done.code == 0, done.err
    recipe = json.loads((tmp_path / "run/config.json").read_text())["recipe"]
    assert (recipe["batch_size"], recipe["image_size"], recipe["epochs"]) == (128, 32, 1)
