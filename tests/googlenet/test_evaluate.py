"""``googlenet evaluate``: its figures beside figures by hand, training's, and predict's."""

import csv
import io
import json
import math

import numpy as np
import pytest
from PIL import Image

import minigrad
from googlenet import GoogLeNet
from googlenet.classify import Classifier, probabilities
from googlenet.evaluation import Evaluation, examine, wilson
from googlenet.run_folder import load_model
from minigrad.data import open_dataset
from tests.googlenet.tiny import call, photographs, tiny, train  # noqa: F401 (a fixture)

FILES = {
    "evaluation.json", "predictions.csv", "confusion.csv", "confusion.png", "calibration.png",
    "mistakes.png",
}  # fmt: skip
LOGITS = np.array([[3, 1, 0], [2, 0, 1], [0, 1, 0], [1, 1, 5], [0, 4, 9]], np.float32)
LABELS = np.array([0, 1, 1, 2, 1])
EXAMPLE = Evaluation.of_logits(("a", "b", "c"), np.arange(5), LABELS, LOGITS)


@pytest.fixture(scope="module")
def runs(tiny, tmp_path_factory):  # noqa: F811
    folder = tmp_path_factory.mktemp("runs")
    train(folder / "clothes", "--lr", "0.01")
    photographs(folder / "photographs", each=8)
    train(
        folder / "animals", "--data", folder / "photographs", "--pictures", "12",
        "--batch-size", "2", "--lr", "0.01",
    )  # fmt: skip
    return folder


def test_figures_by_hand():
    assert EXAMPLE.top(1) == 3 / 5
    assert EXAMPLE.top(2) == 4 / 5  # the second has its class third
    assert EXAMPLE.confusion.tolist() == [[1, 0, 0], [1, 1, 1], [0, 0, 1]]
    a, b, c = EXAMPLE.per_class()
    assert (a["precision"], a["recall"], a["pictures"]) == (0.5, 1.0, 1)
    assert (b["precision"], b["recall"], b["pictures"]) == (1.0, 1 / 3, 3)
    assert (c["precision"], c["recall"]) == (0.5, 1.0)
    expected = np.mean(
        [
            math.log(sum(math.exp(v) for v in row)) - row[label]
            for row, label in zip(LOGITS.tolist(), LABELS, strict=True)
        ]
    )
    assert EXAMPLE.loss == pytest.approx(expected, rel=1e-12)
    assert EXAMPLE.worst().tolist() == [4, 1]  # 99 % sure, then 67 %
    assert EXAMPLE.worst(1).tolist() == [4]


def test_a_class_without_pictures_has_no_recall():
    some = Evaluation.of_logits(("a", "b", "c"), np.arange(2), LABELS[:2] * 0, LOGITS[:2])
    assert [row["recall"] for row in some.per_class()] == [1.0, None, None]
    assert [row["precision"] for row in some.per_class()] == [1.0, None, None]


def test_of_equal_logits_the_first_counts():
    """As `argmax` does, so that top 1 is the accuracy of training."""
    flat = Evaluation.of_logits(
        ("a", "b"), np.arange(2), np.array([0, 1]), np.zeros((2, 2), np.float32)
    )
    assert flat.top(1) == 0.5
    assert flat.predicted.tolist() == [0, 0]


def test_numbers_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="not finite"):
        Evaluation.of_logits(
            ("a", "b"), np.arange(1), np.array([0]), np.array([[np.nan, 0]], np.float32)
        )


def test_probabilities_of_large_logits():
    found = probabilities(np.array([[1000.0, 0.0], [-1000.0, -1000.0]], np.float32))
    np.testing.assert_array_equal(found, [[1, 0], [0.5, 0.5]])


def test_the_logits_of_a_picture_do_not_depend_on_its_company():
    """To the bit, on the whole network: as one of many, alone, at another place."""
    minigrad.manual_seed(3)
    net = GoogLeNet(10, in_channels=1, image_size=32)
    images = np.random.default_rng(0).normal(size=(20, 1, 32, 32)).astype(np.float32)
    classifier = Classifier(net, batch_size=16)
    together = np.concatenate([classifier.logits(images[:16]), classifier.logits(images[16:])])
    for place in (0, 7, 15, 19):
        np.testing.assert_array_equal(
            classifier.logits(images[place : place + 1])[0], together[place]
        )
    np.testing.assert_array_equal(classifier.logits(images[::-1][:13]), together[::-1][:13])
    assert np.ptp(together, axis=0).min() > 0  # the pictures differ


@pytest.mark.parametrize("name", ["clothes", "animals"])
def test_evaluate_agrees_with_training(runs, name, tmp_path):
    """On the run's own test pictures: the same accuracy, the same loss."""
    done = call("evaluate", runs / name, "--json", "--output", tmp_path / "out")
    assert done.code == 0, done.err
    assert done.err == ""
    result = json.loads(done.out)
    with open(runs / name / "metrics.csv") as file:
        last = list(csv.DictReader(file))[-1]
    assert result["top1"] == pytest.approx(float(last["test_accuracy"]), abs=1e-12)
    assert result["loss"] == pytest.approx(float(last["test_loss"]), rel=1e-5)
    assert result["own_test_pictures"] is True
    assert result["left_out"] == 0
    assert 0 <= result["top1"] <= result["top5"] <= 1
    counts = np.array(result["confusion"])
    assert counts.sum() == result["pictures"]
    assert np.trace(counts) / counts.sum() == pytest.approx(result["top1"])


def test_evaluate_leaves_all_files(runs):
    done = call("evaluate", runs / "clothes")
    assert done.code == 0, done.err
    assert "top-1" in done.out
    assert "Ankle boot" in done.out
    folder = runs / "clothes" / "evaluation"
    assert {path.name for path in folder.iterdir()} == FILES
    for name in ("confusion.png", "mistakes.png"):
        with Image.open(folder / name) as image:
            image.load()
            assert min(image.size) > 300
    with open(folder / "confusion.csv") as file:
        head, *rows = csv.reader(file)
    assert head[1] == "T-shirt/top"
    assert [sum(map(int, row[1:])) for row in rows] == [100] * 10
    result = json.loads((folder / "evaluation.json").read_text())
    assert [row["pictures"] for row in result["classes"]] == [100] * 10
    wrong = [mistake["probability"] for mistake in result["mistakes"]]
    assert len(wrong) == 20
    assert wrong == sorted(wrong, reverse=True)
    assert all(mistake["class"] != mistake["predicted"] for mistake in result["mistakes"])


def test_nothing_is_written_where_something_goes_wrong(runs, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device", "somewhere")

    monkeypatch.setattr("googlenet.charts.draw_mistakes", fail)
    done = call("evaluate", runs / "clothes", "--output", tmp_path / "out")
    assert done.code == 1
    assert "No space left" in done.err
    assert not (tmp_path / "out").exists()


def test_other_pictures(runs, tmp_path):
    """A folder with some of the classes, all of which is tested on."""
    other = photographs(tmp_path / "other", classes=("dog", "owl"), each=2)
    done = call("evaluate", runs / "animals", "--test-data", other, "--json")
    assert done.code == 0, done.err
    result = json.loads(done.out)
    assert result["pictures"] == 4
    assert result["own_test_pictures"] is False
    assert [row["pictures"] for row in result["classes"]] == [0, 2, 2]
    assert result["classes"][0]["recall"] is None


def test_the_data_of_a_run_elsewhere_are_its_own(runs, tmp_path):
    again = photographs(tmp_path / "moved", each=8)
    done = call("evaluate", runs / "animals", "--data", again, "--json", "--output", tmp_path / "o")
    assert json.loads(done.out)["own_test_pictures"] is True
    Image.new("RGB", (60, 50)).save(again / "cat" / "0.png")
    for name in ("0.png", "1.png", "2.png", "3.png", "4.png", "5.png", "6.png", "7.png"):
        Image.new("RGB", (60, 50)).save(again / "dog" / name)
    done = call("evaluate", runs / "animals", "--data", again, "--json", "--output", tmp_path / "o")
    assert json.loads(done.out)["own_test_pictures"] is False


def test_a_picture_that_cannot_be_read_is_left_out_if_asked(runs, tmp_path):
    other = photographs(tmp_path / "other", each=2)
    (other / "cat" / "1.png").write_bytes(b"nothing")
    done = call("evaluate", runs / "animals", "--test-data", other, "--json")
    assert done.code == 1
    assert done.out == ""
    assert "cat/1.png" in done.err
    done = call(
        "evaluate", runs / "animals", "--test-data", other, "--json", "--on-error", "skip"
    )  # fmt: skip
    assert done.code == 0
    result = json.loads(done.out)
    assert (result["pictures"], result["left_out"]) == (5, 1)
    assert [row["pictures"] for row in result["classes"]] == [1, 2, 2]
    assert "cat/1.png" in done.err
    assert done.err.startswith("Warning: ")


@pytest.mark.parametrize("batch_size", [1, 5])
def test_predict_gives_to_the_bit_what_evaluate_does(runs, tmp_path, batch_size):
    """Of files, and of pictures in an array that are written as files; in another order."""
    for name in ("animals", "clothes"):
        call("evaluate", runs / name, "--output", tmp_path / name, "--batch-size", batch_size)
        with open(tmp_path / name / "predictions.csv") as file:
            rows = list(csv.DictReader(file))[:7]
        files = [row["picture"] for row in rows]
        if name == "clothes":
            files = [tmp_path / f"{index}.png" for index in range(7)]
            for index, file in enumerate(files):
                Image.fromarray(open_dataset().test[index][0][0]).save(file)
        given = ("predict", runs / name, *reversed(files), "--csv", "--top", 1)
        done = call(*given, "--batch-size", batch_size)
        found = list(csv.DictReader(io.StringIO(done.out)))[::-1]
        assert len(found) == len(rows) > 2
        for row, prediction in zip(rows, found, strict=True):
            assert row["probability"] == prediction["probability"]  # all digits
            assert row["predicted"] == prediction["class"]


def test_default_figures_and_more(runs, tmp_path):
    """What was there stays; beside it intervals, calibration, and the run."""
    done = call("evaluate", runs / "clothes", "--output", tmp_path / "out")
    result = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    low, high = result["top1_interval"]
    assert (low, high) == wilson(round(1000 * result["top1"]), 1000)
    assert f"top-1 {result['top1']:.4f} (95 %: {low:.4f} to {high:.4f})" in done.out
    assert sum(result["calibration"]["counts"]) == 1000
    assert 0 <= result["calibration"]["expected_calibration_error"] <= 1
    (run,) = result["runs"]
    assert run["run"] == str(runs / "clothes")
    assert run["top1"] == result["top1"]
    assert run["whole_pictures"] is True
    assert "ensemble_against_it" not in run
    assert result["crops"] == 1
    with Image.open(tmp_path / "out" / "calibration.png") as image:
        assert min(image.size) > 300


def test_top_5_of_three_classes_says_nothing(runs, tmp_path):
    done = call("evaluate", runs / "animals", "--output", tmp_path / "out")
    assert "top-5 1.0000 (always: there are 3 classes)" in done.out
    result = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert result["top5_interval"] is None
    assert result["runs"][0]["whole_pictures"] is False


def test_crops_of_the_command(runs):
    """10 crops: other figures, those of the library, in a folder of their own."""
    done = call("evaluate", runs / "animals", "--crops", "10")
    assert done.code == 0, done.err
    assert "10 crops of each" in done.out
    assert "sees pictures whole" not in done.out
    written = json.loads((runs / "animals" / "evaluation-10-crops/evaluation.json").read_text())
    model = load_model(runs / "animals")
    config = json.loads((runs / "animals" / "config.json").read_text())
    pictures = open_dataset(config["asked"]["data"], channels=3, min_side=128).test
    labels = np.asarray(pictures.labels)
    found = examine(Classifier(model.net), model.transform, pictures, labels, crops=10)
    assert written["loss"] == found.loss
    assert written["crops"] == 10
    assert found.loss != examine(Classifier(model.net), model.transform, pictures, labels).loss
    done = call("evaluate", runs / "animals", "--crops", "11")
    assert done.code == 2


def test_crops_of_pictures_that_are_seen_whole(runs, tmp_path):
    some = tmp_path / "some"
    for label, name in enumerate(("Bag", "Coat")):
        (some / name).mkdir(parents=True)
        Image.fromarray(open_dataset().test[label][0][0]).save(some / name / "0.png")
    done = call("evaluate", runs / "clothes", "--test-data", some, "--crops", 144,
                "--output", tmp_path / "out")  # fmt: skip
    assert done.code == 0, done.err
    assert "144 crops of each" in done.out
    assert "sees pictures whole" in done.out


@pytest.fixture(scope="module")
def ensemble(runs):
    train(
        runs / "again", "--data", runs / "photographs", "--pictures", "12", "--batch-size", "2",
        "--lr", "0.01", "--seed", "3", "--crop", "1",
    )  # fmt: skip
    return runs / "animals", runs / "again"


def test_an_ensemble(ensemble, tmp_path):
    """Each run as it is alone, and the mean of what they say."""
    done = call("evaluate", *ensemble)
    assert done.code == 0, done.err
    folder = ensemble[0] / "evaluation-ensemble"
    assert {path.name for path in folder.iterdir()} == FILES
    result = json.loads((folder / "evaluation.json").read_text())
    assert "together" in done.out
    assert "the runs' own test pictures" in done.out
    tables, rights = [], []
    for run, row in zip(ensemble, result["runs"], strict=True):
        call("evaluate", run, "--output", tmp_path / run.name)
        alone = json.loads((tmp_path / run.name / "evaluation.json").read_text())
        for name in ("top1", "top1_interval", "loss", "brier", "precision"):
            assert row[name] == alone[name]
        assert row["run"] == str(run)
        with open(tmp_path / run.name / "predictions.csv") as file:
            tables.append(list(csv.DictReader(file)))
        rights.append(np.array([line["class"] == line["predicted"] for line in tables[-1]]))
    with open(folder / "predictions.csv") as file:
        together = list(csv.DictReader(file))
    for line, first, second in zip(together, *tables, strict=True):
        mean = (float(first["probability_of_class"]) + float(second["probability_of_class"])) / 2
        assert float(line["probability_of_class"]) == pytest.approx(mean, rel=1e-12)
    right = np.array([line["class"] == line["predicted"] for line in together])
    for row, own in zip(result["runs"], rights, strict=True):
        against = row["ensemble_against_it"]
        assert against["better"] == (right & ~own).sum()
        assert against["worse"] == (own & ~right).sum()
        assert against["difference"] == pytest.approx(result["top1"] - row["top1"])


def test_an_ensemble_of_what_does_not_go_together(runs, ensemble, tmp_path):
    first, second = ensemble
    other = tmp_path / "other"
    photographs(tmp_path / "pictures", classes=("cat", "cow", "owl"), each=8)
    options = ("--pictures", "12", "--batch-size", "2")
    train(other, "--data", tmp_path / "pictures", *options)
    for given, sentence in (
        ((first, other), "has the class 'dog' where"),
        ((first, runs / "clothes"), "knows 3 classes and"),
        ((first, second, first), "is named twice"),
        ((first, runs / "none"), "there is no run"),
    ):
        done = call("evaluate", *given)
        assert done.code == 2, done.err
        assert sentence in done.err
    photographs(tmp_path / "more", each=9)
    elsewhere = train(tmp_path / "elsewhere", "--data", tmp_path / "more", *options)
    done = call("evaluate", first, elsewhere)
    assert done.code == 2
    assert "was tested on other pictures than" in done.err
    done = call("evaluate", first, elsewhere, "--test-data", tmp_path / "more", "--json",
                "--output", tmp_path / "out")  # fmt: skip
    assert done.code == 0, done.err
    result = json.loads(done.out)
    assert (result["pictures"], result["own_test_pictures"]) == (27, False)


def test_averaged_weights(runs, tmp_path):
    """Those of the run's other file: as training tested them, and beside the raw ones."""
    run = train(
        tmp_path / "run", "--data", runs / "photographs", "--pictures", "12", "--batch-size", "2",
        "--lr", "0.01", "--set", "average=mean",
    )  # fmt: skip
    raw = json.loads(call("evaluate", run, "--json").out)
    done = call("evaluate", run, "--averaged", "--json")
    assert done.code == 0, done.err
    averaged = json.loads(done.out)
    assert averaged["folder"] == str(run / "evaluation-averaged")
    assert (raw["runs"][0]["averaged"], averaged["runs"][0]["averaged"]) == (False, True)
    with open(run / "metrics.csv") as file:
        last = list(csv.DictReader(file))[-1]
    assert averaged["loss"] == pytest.approx(float(last["test_loss_averaged"]), rel=1e-5)
    assert averaged["loss"] != raw["loss"]
    by_name = json.loads(call("evaluate", run / "averaged.safetensors", "--json").out)
    assert by_name["loss"] == averaged["loss"]
    assert by_name["folder"] == averaged["folder"]
    both = json.loads(call("evaluate", run, run / "averaged.safetensors", "--json").out)
    assert [raw["weights"], both["weights"]] == ["raw", "raw, averaged"]
    assert [row["loss"] for row in both["runs"]] == [raw["loss"], averaged["loss"]]
    done = call("evaluate", run / "model.safetensors", "--averaged")
    assert done.code == 2
    assert "are not averaged" in done.err
    done = call("evaluate", runs / "animals", "--averaged")
    assert done.code == 1
    assert "has no averaged weights" in done.err
