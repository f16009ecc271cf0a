"""Runs side by side: what is told of each, how sure it is, what differs, and what is left out."""

import csv
import json
import os
import shutil

import pytest

from googlenet import comparison_charts
from googlenet.comparison import compare, short_value
from googlenet.comparison_charts import draw_comparison
from googlenet.drawing import plt
from googlenet.evaluation.intervals import wilson
from tests.googlenet.tiny import call, photographs, tiny, train  # noqa: F401 (a fixture)


@pytest.fixture(scope="module")
def runs(tiny, tmp_path_factory):  # noqa: F811
    folder = tmp_path_factory.mktemp("runs")
    train(folder / "one")
    train(folder / "two", "--lr", "0.01", "--batch-norm")
    return folder


def told(*arguments):
    done = call("compare", *arguments, "--json")
    assert done.code == 0, done.err
    return json.loads(done.out)


def test_what_is_told_of_a_run_is_in_its_folder(runs):
    one, two = told(runs / "one", runs / "two")["runs"]
    with open(runs / "one" / "metrics.csv") as file:
        rows = list(csv.DictReader(file))
    assert one["test_accuracy"] == float(rows[-1]["test_accuracy"])
    assert one["best_test_accuracy"] == max(float(row["test_accuracy"]) for row in rows)
    assert one["train_accuracy"] == float(rows[-1]["train_accuracy"])
    assert (one["train_loss"], one["test_loss"]) == tuple(
        float(rows[-1][name]) for name in ("loss_logits", "test_loss")
    )
    assert one["seconds"] == float(rows[-1]["seconds"])
    assert (one["name"], one["epochs"], one["test_pictures"]) == ("one", 2, 1000)
    assert one["interval"] == list(wilson(round(1000 * one["test_accuracy"]), 1000))
    assert two["parameters"] > one["parameters"]  # batch norm has its own


def test_only_what_differs_is_told(runs):
    one, two = told(runs / "one", runs / "two")["runs"]
    assert one["settings"] == {"batch_norm": None, "lr": 0.0007}
    assert two["settings"] == {"batch_norm": True, "lr": 0.01}
    assert told(runs / "one")["runs"][0]["settings"] == {}


def test_wilson_is_that_of_the_book():
    low, high = wilson(81, 263)  # Newcombe (1998), table I
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)
    assert wilson(0, 10)[0] == 0
    assert wilson(10, 10)[1] == pytest.approx(1)


def test_a_table_and_a_picture(runs, tmp_path):
    done = call("compare", runs / "one", runs / "two", "--output", tmp_path / "beside")
    assert done.code == 0, done.err
    head, one, two, *_ = done.out.splitlines()
    for name in ("run", "lr", "batch_norm", "parameters", "train", "test", "95 %", "best", "loss"):
        assert name in head
    assert "0.0007" in one
    assert "0.01" in two
    assert (tmp_path / "beside" / "curves.png").read_bytes().startswith(b"\x89PNG")
    with open(tmp_path / "beside" / "table.csv") as file:
        rows = list(csv.DictReader(file))
    assert [row["lr"] for row in rows] == ["0.0007", "0.01"]


def test_many_differences_are_a_list(runs, tmp_path):
    train(tmp_path / "other", "--seed", "3", "--no-aux-heads", "--set", "dropout=0.1",
          "--set", "flip=false", "--batch-size", "32", "--lr", "0.002")  # fmt: skip
    done = call("compare", runs / "one", tmp_path / "other", "--output", tmp_path / "out")
    assert "other: aux_heads no, dropout 0.1, flip no, batch_size 32, lr 0.002, seed 3" in done.out
    assert "batch_size" not in done.out.splitlines()[0]


def test_damaged_runs_are_named_and_left_out(runs, tmp_path):
    bad = shutil.copytree(runs / "one", tmp_path / "bad")
    os.truncate(bad / "model.safetensors", 900)
    begun = train(tmp_path / "begun", stop=True)
    done = call("compare", runs / "one", bad, begun, "--output", tmp_path / "out")
    assert done.code == 0
    assert "bad: '" in done.err
    assert "not a whole safetensors file" in done.err
    assert "no epoch of it is done yet" in done.err
    assert [row["name"] for row in told(runs / "one", bad, begun)["runs"]] == ["one"]
    assert set(told(runs / "one", bad)["left_out"]) == {str(bad)}
    only = call("compare", bad, "--output", tmp_path / "none")
    assert only.code == 1
    assert not (tmp_path / "none").exists()


def test_runs_of_other_pictures_are_marked(runs, tmp_path):
    photographs(tmp_path / "pictures")
    other = train(tmp_path / "other", "--data", tmp_path / "pictures", "--pictures", "6")
    both = told(runs / "one", runs / "two", other)["runs"]
    assert [run["tested_on_other_pictures"] for run in both] == [False, False, True]
    done = call("compare", runs / "one", runs / "two", other, "--output", tmp_path / "out")
    assert "other †" in done.out
    assert "† tested on other pictures" in done.out
    assert "†" not in call("compare", runs / "one", "--output", tmp_path / "out").out


def test_runs_of_one_name_are_told_apart(runs, tmp_path):
    shutil.copytree(runs / "one", tmp_path / "one")
    names = [row["name"] for row in told(runs / "one", tmp_path / "one")["runs"]]
    assert names == [f"{runs.name}/one", f"{tmp_path.name}/one"]
    assert len(told(runs / "one", runs / "one")["runs"]) == 1


def test_averaged_weights_are_marked(tiny, runs, tmp_path):  # noqa: F811
    averaged = train(tmp_path / "mean", "--set", "average=ema")
    row = told(runs / "one", averaged)["runs"][1]
    assert row["test_accuracy_averaged"] is not None
    done = call("compare", runs / "one", averaged, "--output", tmp_path / "out")
    assert "* of the averaged weights" in done.out


def test_the_figures_of_averaged_weights_are_one_series(tiny, tmp_path):  # noqa: F811
    """The best of them too: an average may be better than the weights ever were."""
    path = train(tmp_path / "mean", "--set", "average=ema")
    rows = list(csv.DictReader((path / "metrics.csv").open()))
    for row, raw, averaged in zip(rows, (0.2, 0.3), (0.6, 0.5), strict=True):
        row |= {"test_accuracy": raw, "test_accuracy_averaged": averaged}
    with (path / "metrics.csv").open("w") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    (run,) = compare([path]).runs
    assert (run.accuracies, run.best, run.accuracy) == ([0.6, 0.5], 0.6, 0.5)
    drawn = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(comparison_charts, "png", lambda figure, dpi: drawn.update(figure=figure))
        draw_comparison(compare([path]))
    curve, interval = drawn["figure"].axes[1].lines
    assert list(curve.get_ydata()) == [0.6, 0.5]
    low, high = interval.get_ydata()
    assert low < curve.get_ydata()[-1] < high
    plt.close(drawn["figure"])


def test_settings_do_not_take_the_place_of_what_came_out(runs, tmp_path):
    other = train(
        tmp_path / "other", "--recipe", "fashion-mnist", "--data", "embedded", "--image-size", "32",
        "--epochs", "1",
    )  # fmt: skip
    call("compare", runs / "one", other, "--output", tmp_path / "out")
    with open(tmp_path / "out" / "table.csv") as file:
        one, two = csv.DictReader(file)
    assert (one["name"], one["recipe"], one["epochs"], one["recipe_epochs"]) == (
        "one", "default", "2", "2",
    )  # fmt: skip
    assert (two["name"], two["recipe"], two["epochs"], two["recipe_epochs"]) == (
        "other", "fashion-mnist", "1", "1",
    )  # fmt: skip
    assert one["seconds"] != two["seconds"]


def test_a_loss_that_is_no_number_is_null_for_programs(runs, tmp_path):
    path = shutil.copytree(runs / "one", tmp_path / "wild")
    rows = list(csv.DictReader((path / "metrics.csv").open()))
    rows[-1]["test_loss"] = "nan"
    with (path / "metrics.csv").open("w") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    done = call("compare", path, "--json")
    assert "NaN" not in done.out
    assert json.loads(done.out)["runs"][0]["test_loss"] is None


def test_mistakes(runs, tmp_path):
    assert call("compare").code == 2
    done = call("compare", runs / "one", tmp_path / "none")
    assert (done.code, "there is no run" in done.err) == (2, True)
    (tmp_path / "file").touch()
    done = call("compare", runs / "one", "--output", tmp_path / "file")
    assert (done.code, "--output must name a folder" in done.err) == (2, True)


def test_many_runs_have_curves_of_their_own(runs):
    found = compare([runs / "one", runs / "two"])
    found.runs *= 8
    found.other_test *= 8
    found.differing = {"lr": [0.1 * i for i in range(16)]}
    found.runs[0].epochs[0]["test_loss"] = float("nan")
    assert draw_comparison(found).startswith(b"\x89PNG")
    assert found.label(3) == "two: lr 0.3"


def test_values_are_put_shortly():
    assert short_value((0.9, 0.99)) == "0.9, 0.99"
    assert short_value("") == "–"
    assert short_value(False) == "no"
