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
from googlenet.evaluation import Evaluation
from minigrad.data import open_dataset
from tests.googlenet.tiny import call, photographs, tiny, train  # noqa: F401 (a fixture)

FILES = {"evaluation.json", "predictions.csv", "confusion.csv", "confusion.png", "mistakes.png"}
LOGITS = np.array([[3, 1, 0], [2, 0, 1], [0, 1, 0], [1, 1, 5], [0, 4, 9]], np.float32)
LABELS = np.array([0, 1, 1, 2, 1])
EXAMPLE = Evaluation(("a", "b", "c"), np.arange(5), LABELS, LOGITS)


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
    some = Evaluation(("a", "b", "c"), np.arange(2), LABELS[:2] * 0, LOGITS[:2])
    assert [row["recall"] for row in some.per_class()] == [1.0, None, None]
    assert [row["precision"] for row in some.per_class()] == [1.0, None, None]


def test_of_equal_logits_the_first_counts():
    """As `argmax` does, so that top 1 is the accuracy of training."""
    flat = Evaluation(("a", "b"), np.arange(2), np.array([0, 1]), np.zeros((2, 2), np.float32))
    assert flat.top(1) == 0.5
    assert flat.predicted.tolist() == [0, 0]


def test_numbers_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="not finite"):
        Evaluation(("a", "b"), np.arange(1), np.array([0]), np.array([[np.nan, 0]], np.float32))


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
