"""``googlenet evaluate`` on pictures that a run did not come with: how they can be named."""

import json

import pytest

from tests.googlenet.tiny import call, photographs, tiny, train  # noqa: F401 (a fixture)

TRUTH = {
    "val.txt": "".join(f"{n}.png {n % 3}\n" for n in range(6)),
    "LOC_val_solution.csv": "ImageId,PredictionString\n"
    + "".join(f"{n},{('cat', 'dog', 'owl')[n % 3]} 1 2 3 4\n" for n in range(6)),
}


@pytest.fixture(scope="module")
def run(tiny, tmp_path_factory):  # noqa: F811
    folder = tmp_path_factory.mktemp("runs")
    photographs(folder / "pictures", each=8)
    return train(folder / "run", "--data", folder / "pictures", "--pictures", "12",
                 "--batch-size", "4", "--lr", "0.01")  # fmt: skip


@pytest.fixture
def flat(tmp_path):
    """Pictures in one folder, a third of each class in turn, and the same in folders of classes."""
    photographs(tmp_path / "classes", each=2)
    (tmp_path / "flat").mkdir()
    for n in range(6):
        name = ("cat", "dog", "owl")[n % 3]
        content = (tmp_path / "classes" / name / f"{n // 3}.png").read_bytes()
        (tmp_path / "flat" / f"{n}.png").write_bytes(content)
    return tmp_path


def result(*arguments):
    done = call("evaluate", *arguments, "--json")
    assert done.code == 0, done.err
    return json.loads(done.out)


@pytest.mark.parametrize("form", TRUTH)
def test_a_flat_folder_with_its_ground_truth(form, run, flat):
    (flat / form).write_text(TRUTH[form])
    out = ("--output", flat / "out")
    found = result(run, "--test-data", flat / "flat", "--ground-truth", flat / form, *out)
    same = result(run, "--test-data", flat / "classes", *out)
    assert found["pictures"] == 6
    assert found["confusion"] == same["confusion"]
    assert found["loss"] == pytest.approx(same["loss"], rel=1e-12)
    whole = result(
        run, "--data", flat / "classes", "--test-data", flat / "flat", "--ground-truth",
        flat / form, *out,
    )  # fmt: skip
    assert whole["confusion"] == same["confusion"]


@pytest.mark.parametrize("option", ["--class-names", "--ground-truth"])
def test_what_tells_of_other_pictures_needs_them(option, run, flat):
    done = call("evaluate", run, option, flat / "val.txt", "--output", flat / "out")
    assert done.code == 2
    assert f"{option} goes with --data or --test-data" in done.err
    assert not (flat / "out").exists()


def test_a_ground_truth_that_cannot_be(run, flat):
    (flat / "val.txt").write_text("0.png 7\n")
    truth = ("--ground-truth", flat / "val.txt")
    done = call("evaluate", run, "--test-data", flat / "flat", *truth)
    assert (done.code, "says that '0.png' is of the class '7'" in done.err) == (2, True)
    done = call("evaluate", run, "--test-data", flat / "flat", *truth, "--class-names", "names")
    assert (done.code, "go together with --data" in done.err) == (2, True)
    done = call("evaluate", run, "--data", "embedded", *truth)
    assert (done.code, "ground_truth does not go with 'embedded'" in done.err) == (2, True)


def test_the_first_picture_may_be_the_one_that_cannot_be_read(run, flat):
    """It is not looked at to see how many channels there are: a folder is read as it is needed."""
    (flat / "classes/cat/0.png").write_bytes(b"nothing")
    found = result(
        run, "--data", flat / "classes", "--test-data", flat / "classes", "--on-error", "skip",
        "--output", flat / "out",
    )  # fmt: skip
    assert (found["pictures"], found["left_out"]) == (5, 1)


def test_no_picture_can_be_read(run, flat):
    for picture in (flat / "classes").rglob("*.png"):
        picture.write_bytes(b"nothing")
    out = ("--output", flat / "out")
    done = call("evaluate", run, "--test-data", flat / "classes", "--on-error", "skip", *out)
    assert done.code == 1
    assert done.err.splitlines()[-1].startswith("Error: ")
    assert "Traceback" not in done.err


def test_a_run_named_by_its_folder_and_its_file_is_one(run, flat):
    done = call("evaluate", run, run / "model.safetensors", "--output", flat / "out")
    assert done.code == 2
    assert "is named twice" in done.err
