"""``googlenet recipe``, and ``googlenet train`` by a recipe."""

import json

import pytest

from googlenet.recipes import RECIPES, names
from tests.googlenet.tiny import call, narrow_networks, photographs, tiny  # noqa: F401 (a fixture)


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
        (["--crop", "0.5"], "crop changes nothing with the pictures of embedded"),
        (["--set", "aspect=1,1"], "aspect changes nothing with the pictures of embedded"),
        (["--variant", "short", "--stages", "3a pool 5b"], "variant changes nothing with stages"),
    ],
)
def test_what_cannot_be_is_one_sentence(tmp_path, options, sentence):
    done, run = trained(tmp_path, *options)
    assert done.code == 2
    assert sentence in done.err
    assert len([line for line in done.err.splitlines() if line.startswith("Error: ")]) == 1
    assert not run.exists()


def test_photographs_have_no_zeros_around_them(tmp_path):
    data = photographs(tmp_path / "pictures")
    done, run = trained(tmp_path, "--data", data, "--set", "pad=4")
    assert (done.code, run.exists()) == (2, False)
    assert "pad changes nothing with photographs" in done.err


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


def test_inception_v3_trains_by_its_recipe(tmp_path):
    photographs(tmp_path / "pictures")
    with narrow_networks():
        done = call(
            "train", "--run", tmp_path / "run", "--recipe", "inception-v3", "--data",
            tmp_path / "pictures", "--epochs", "2",
        )  # fmt: skip
    assert done.code == 0, done.err
    assert "recipe: inception-v3, but epochs 2" in done.out
    head = (tmp_path / "run/metrics.csv").read_text().splitlines()[0]
    assert "loss_aux," in head
    assert "test_accuracy_averaged" in head
    assert (tmp_path / "run/averaged.safetensors").is_file()
