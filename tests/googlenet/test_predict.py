"""``googlenet predict``: what comes out, in which order, and how much is held at a time."""

import csv
import io
import json
import os
import subprocess
import sys
import threading
from itertools import islice

import numpy as np
import pytest
from PIL import Image

from googlenet.classify import Classifier
from googlenet.prediction import AHEAD, find_pictures, predict
from googlenet.run_folder import load_model
from minigrad import checkpoint
from tests.googlenet.tiny import call, photographs, tiny, train  # noqa: F401 (a fixture)


@pytest.fixture(scope="module")
def place(tiny, tmp_path_factory):  # noqa: F811
    folder = tmp_path_factory.mktemp("predict")
    photographs(folder / "pictures", each=5)
    train(
        folder / "run", "--data", folder / "pictures", "--pictures", "9", "--batch-size", "4",
        "--lr", "0.01",
    )  # fmt: skip
    return folder


def test_a_table(place):
    done = call("predict", place / "run", place / "pictures/cat/0.png", "--top", "2")
    assert done.code == 0, done.err
    head, first, second = done.out.splitlines()
    assert head.split() == ["probability", "class", "picture"]
    assert first.endswith("cat/0.png")
    assert float(first.split()[0]) >= float(second.split()[0])
    assert "/" not in second


def test_json_lines(place):
    done = call("predict", place / "run", place / "pictures", "--json", "--batch-size", "4")
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert [row["file"] for row in rows] == sorted(str(p) for p in place.glob("pictures/*/*.png"))
    for row in rows:
        shares = [each["probability"] for each in row["top"]]
        assert sum(shares) == pytest.approx(1)  # there are no more than three classes
        assert shares == sorted(shares, reverse=True)
        assert {each["label"] for each in row["top"]} == {0, 1, 2}


def test_csv_of_names_from_standard_input(place):
    names = sorted(place.glob("pictures/dog/*.png"))
    text = b"".join(os.fsencode(name) + b"\r\n" for name in names) + b"\n"
    done = call("predict", place / "run", "-", "--csv", "--top", "1", stdin=text)
    assert done.code == 0, done.err
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert [row["file"] for row in rows] == [str(name) for name in names]
    assert {row["rank"] for row in rows} == {"1"}


def test_one_that_cannot_be_read_does_not_keep_the_others(place, tmp_path):
    bad, gone = tmp_path / "bad.png", tmp_path / "gone.png"
    bad.write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    gone.symlink_to("nowhere")
    good = place / "pictures/cat/0.png"
    done = call("predict", place / "run", good, bad, gone, good, "--json")
    assert done.code == 1
    first, second = map(json.loads, done.out.splitlines())
    assert first == second
    assert [
        str(name) in line for name, line in zip((bad, gone), done.err.splitlines(), strict=False)
    ]
    assert "2 of 4 could not be read" in done.err


def test_a_folder_is_searched_to_any_depth(tmp_path):
    for name in ("b/2.png", "b/1.JPG", "a.png", "b/c/d/e.gif", ".hidden/x.png", "b/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "b" / "circle").symlink_to(tmp_path)
    (tmp_path / "folder.png").mkdir()
    found = [os.path.relpath(path, tmp_path) for path in find_pictures(str(tmp_path))]
    assert found == ["a.png", "b/1.JPG", "b/2.png", "b/c/d/e.gif"]


def test_names_are_not_believed(place, tmp_path):
    """Control characters do not reach the screen; bytes that are no text come through in JSON."""
    name = os.fsencode(tmp_path) + b"/\x1b[31m\xff.png"
    os.link(place / "pictures/cat/0.png", name)
    done = call("predict", place / "run", tmp_path)
    assert "\x1b" not in done.out
    assert r"\x1b[31m\udcff.png" in done.out
    for form in ("--json", "--csv"):
        assert call("predict", place / "run", tmp_path, form).code == 0
    row = json.loads(call("predict", place / "run", tmp_path, "--json").out)
    assert os.fsencode(row["file"]) == name


def test_colour_for_a_grey_network_and_the_other_way(place, tmp_path):
    grey = train(tmp_path / "grey")
    done = call("predict", grey, place / "pictures/cat/0.png", "--json")
    assert done.code == 0
    Image.open(place / "pictures/cat/0.png").convert("L").save(tmp_path / "grey.png")
    again = call("predict", grey, tmp_path / "grey.png", "--json")
    assert json.loads(done.out)["top"] == json.loads(again.out)["top"]
    assert call("predict", place / "run", tmp_path / "grey.png").code == 0


def test_memory_does_not_grow_with_the_pictures(place):
    """However many names there are, few batches of them are asked for ahead of the answers."""
    model = load_model(place / "run")
    asked = 0

    def names():
        nonlocal asked
        while True:
            asked += 1
            yield str(place / "pictures/cat/0.png")

    stream = predict(Classifier(model.net, batch_size=4), model.transform, names())
    for count, said in enumerate(islice(stream, 100), 1):
        assert said.error is None
        assert asked <= count + 4 * (AHEAD + 1) + 2
    stream.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("googlenet-read")]


def test_answers_come_while_names_still_do(place):
    """A batch is not waited for when names come slowly."""
    model = load_model(place / "run")
    heard = threading.Event()

    def names():
        yield str(place / "pictures/cat/0.png")
        assert heard.wait(60)
        yield str(place / "pictures/cat/1.png")

    stream = predict(Classifier(model.net, batch_size=32), model.transform, names())
    first = next(stream)
    heard.set()
    (second,) = stream
    assert [os.path.basename(said.path) for said in (first, second)] == ["0.png", "1.png"]


def test_what_goes_wrong_with_the_names_is_raised(place):
    model = load_model(place / "run")

    def names():
        yield str(place / "pictures/cat/0.png")
        raise KeyError("names")

    with pytest.raises(KeyError, match="names"):
        list(predict(Classifier(model.net), model.transform, names()))


def test_a_picture_that_cannot_be_prepared_is_named(place, tmp_path):
    Image.new("L", (110_000, 1)).save(tmp_path / "line.png")
    done = call("predict", place / "run", tmp_path / "line.png")
    assert done.code == 1
    assert "line.png' cannot be prepared: Resize" in done.err


def test_who_reads_the_output_may_stop(tmp_path):
    """`googlenet … | head -1`: no traceback, nothing said."""
    there, here = os.pipe()
    os.close(there)  # nobody reads
    with os.fdopen(here, "wb") as unread:
        done = subprocess.run(
            [sys.executable, "-m", "googlenet", "runs", str(tmp_path)],
            stdout=unread, stderr=subprocess.PIPE, timeout=120, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == b""


def test_the_order_of_reading_does_not_matter(place):
    """Several threads that read give what one does."""
    options = ("predict", place / "run", place / "pictures", "--csv", "--batch-size", "4")
    one, four = (call(*options, "--workers", n) for n in ("1", "4"))
    assert one.out == four.out
    assert np.unique([line.split(",")[0] for line in one.out.splitlines()]).size == 16


def test_crops(place):
    """Means over ten crops; the order of threads and the size of batches change nothing visible."""
    one = call("predict", place / "run", place / "pictures", "--csv")
    ten = call("predict", place / "run", place / "pictures", "--csv", "--crops", "10")
    again = call(
        "predict", place / "run", place / "pictures", "--csv", "--crops", "10", "--workers", "4"
    )
    assert ten.code == 0, ten.err
    assert ten.out == again.out != one.out


@pytest.mark.parametrize("form", ["--json", "--csv", "--top=2"])
def test_numbers_that_are_not_finite_are_no_prediction(place, tmp_path, form):
    state, metadata = checkpoint.load(place / "run/model.safetensors")
    state["classifier.weight"][:] = np.nan
    checkpoint.save(tmp_path / "model.safetensors", state, metadata)
    done = call("predict", tmp_path / "model.safetensors", place / "pictures/cat", form)
    assert done.code == 1
    assert "0.png': the network gives numbers that are not finite" in done.err
    assert "nan" not in done.out.lower()
