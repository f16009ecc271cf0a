"""Recipes: their values as published, and as files and command lines give them."""

import dataclasses
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from googlenet.recipes import (
    RECIPES,
    Recipe,
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


def of(name):
    return RECIPES[name].recipe


# -- as published ---------------------------------------------------------------------------------


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
    "inception-v3": {
        "architecture": "inception-v3", "image_size": 299, "label_smoothing": 0.1,
        "optimizer": "rmsprop", "alpha": 0.9, "eps": 1.0, "lr": 0.045, "schedule": "step",
        "schedule_unit": "epochs", "step_size": 2, "gamma": 0.94, "clip_grad_norm": 2.0,
        "batch_size": 32, "epochs": 100, "average": "ema",
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


# -- values from outside --------------------------------------------------------------------------


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
        ({"clip_grad_norm": -1}, "clip_grad_norm must be a number of at least 0, got -1"),
        ({"lr": 10**400}, "lr must be a number above 0, got 1000"),
        ({"milestones": (1, 10**400)}, "milestones must be numbers above 0"),
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


@pytest.mark.parametrize("name", ["huge.json", "huge.toml"])
def test_a_number_beyond_all_floats_is_a_sentence(tmp_path, name):
    digits = "1" + 400 * "0"
    text = f'{{"lr": {digits}}}' if name.endswith("json") else f"lr = {digits}"
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=f"{name}': lr must be a number above 0, got 1000"):
        read_recipe(tmp_path / name)


UNUSED = [
    ({"variant": "short", "stages": "3a pool 5b"}, "variant", "stages"),
    ({}, "bias_weight_decay", "weight_decay 0"),
    ({"architecture": "inception-v3", "image_size": 299}, "aux_dropout", "architecture inception"),
    ({"architecture": "inception-bn"}, "aux_weight", "architecture inception-bn"),
    ({"dialect": "cifar"}, "aux_dropout", "dialect cifar"),
    ({"aux_heads": False}, "aux_dropout", "aux_heads false"),
    ({"batch_norm": True}, "lrn", "batch normalisation"),
    ({"dialect": "torchvision", "batch_norm": False}, "lrn", "dialect torchvision"),
    ({"architecture": "inception-v3", "image_size": 75}, "lrn", "architecture inception-v3"),
]


@pytest.mark.parametrize(("values", "name", "why"), UNUSED)
def test_what_changes_nothing_is_named(values, name, why):
    assert Recipe(**values).unused()[name].startswith(why)


def test_what_changes_something_is_not():
    assert "aux_weight" not in of("inception-v3").unused()
    assert not {"aux_dropout", "variant", "lrn"} & set(Recipe().unused())
    assert "variant" not in Recipe(variant="naive", stages="3a pool 5b").unused()
    assert "bias_weight_decay" not in Recipe(weight_decay=1e-4).unused()


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
