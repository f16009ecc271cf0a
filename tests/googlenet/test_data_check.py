"""``googlenet data check``: each kind of trouble is found where it is, and nowhere else."""

import json
import os
import shutil
import threading

import numpy as np
import pytest
from PIL import Image

from googlenet.checking import check_data, look
from googlenet.checking.findings import KINDS
from googlenet.labels import FEW
from minigrad.data import ArrayDataset, OpenedDataset
from tests.googlenet.tiny import call

CLASSES = ("cat", "dog")


def noise(seed, shape=(70, 80, 3), low=0, high=256):
    return Image.fromarray(np.random.default_rng(seed).integers(low, high, shape, np.uint8))


def fill(root, classes=CLASSES, each=FEW, start=0):
    for label, name in enumerate(classes):
        (root / name).mkdir(parents=True, exist_ok=True)
        for number in range(each):
            noise(start + 100 * label + number).save(root / name / f"{number}.png")
    return root


@pytest.fixture
def clean(tmp_path):
    return fill(tmp_path / "pictures")


@pytest.fixture
def parted(tmp_path):
    fill(tmp_path / "pictures/train")
    fill(tmp_path / "pictures/val", each=2, start=1000)
    return tmp_path / "pictures"


def found(root, **options):
    """Return what is found, by kind: the names of the pictures, and what is said."""
    report = check_data(str(root), image_size=options.pop("image_size", 64), **options)
    return {
        finding.kind: [(*item.names, item.said) for item in finding.items]
        for finding in report.findings
    }


def test_nothing_is_found_where_nothing_is_wrong(clean, parted):
    for root in (clean, parted):
        done = call("data", "check", root)
        assert (done.code, done.err) == (0, "")
        assert "nothing is wrong" in done.out
    assert f"'{parted}': 24 pictures (20 train, 4 val) of 2 classes" in done.out


def test_what_cannot_be_read_is_found(clean):
    (clean / "cat/cut.png").write_bytes((clean / "cat/1.png").read_bytes()[:2000])
    (clean / "cat/text.jpg").write_text("hello")
    (clean / "dog/empty.gif").touch()
    os.mkdir(clean / "dog/folder.png")  # not a picture, and nothing to open
    wrong = found(clean)
    assert wrong.pop("other") == [("dog/folder.png/", "")]
    assert list(wrong) == ["unreadable"]
    (cut, why), (text, what), empty = wrong["unreadable"]
    assert (cut, text, empty) == ("cat/cut.png", "cat/text.jpg", ("dog/empty.gif", "is empty"))
    assert why.startswith("is damaged or cut short")
    assert what.startswith("is not a picture in one of the formats JPEG, PNG")


def test_what_is_named_as_another_format_is_found(clean):
    noise(1).save(clean / "cat/a.JPEG", format="PNG")
    noise(2).save(clean / "cat/b.png", format="JPEG")
    noise(3).save(clean / "cat/c.JPG", format="JPEG")
    noise(4).save(clean / "cat/d.tiff")
    noise(5).convert("L").save(clean / "cat/e.pgm")
    (clean / "dog/cut.jpg").write_bytes((clean / "cat/2.png").read_bytes()[:2000])
    wrong = found(clean)
    assert wrong.pop("ending") == [
        ("cat/a.JPEG", "should end in .png"),
        ("cat/b.png", "should end in .jpg"),
    ]
    assert [name for name, _ in wrong.pop("unreadable")] == ["dog/cut.jpg"]


def test_the_same_picture_twice_is_found_whatever_file_it_is_in(clean):
    same = Image.open(clean / "cat/3.png")
    same.save(clean / "cat/same.bmp")
    same.convert("RGBA").save(clean / "cat/same.tif")
    shutil.copy(clean / "cat/5.png", clean / "dog/contrary.png")
    turned = Image.open(clean / "cat/4.png").transpose(Image.Transpose.ROTATE_180)
    turned.save(clean / "cat/turned.png")  # is another picture
    assert found(clean) == {
        "duplicate": [("cat/3.png", "cat/same.bmp", "cat/same.tif", "")],
        "contradiction": [("cat/5.png", "dog/contrary.png", "as cat and as dog")],
    }


def test_pictures_of_the_same_bytes_but_another_shape_are_others(clean):
    pixels = np.random.default_rng(9).integers(0, 256, (64, 128, 3), np.uint8)
    Image.fromarray(pixels).save(clean / "cat/wide.png")
    Image.fromarray(pixels.reshape(128, 64, 3)).save(clean / "cat/high.png")
    assert found(clean) == {}


def test_a_test_picture_among_the_training_pictures_is_found(parted, tmp_path):
    shutil.copy(parted / "train/cat/1.png", parted / "val/cat/leak.png")
    shutil.copy(parted / "train/cat/2.png", parted / "val/dog/worse.png")
    names = ("train/cat/2.png", "val/dog/worse.png")
    assert found(parted) == {
        "contradiction": [(*names, "as cat and as dog")],
        "leakage": [("train/cat/1.png", "val/cat/leak.png", ""), (*names, "")],
    }
    train, other = parted / "train", parted / "val"
    wrong = found(train, test=other)
    assert (str(train / "cat/1.png"), str(other / "cat/leak.png"), "") in wrong["leakage"]


def test_tiny_and_empty_pictures_are_found(clean):
    noise(1, (63, 200, 3)).save(clean / "cat/low.png")
    noise(2, (64, 64, 3)).save(clean / "cat/just.png")
    Image.new("RGB", (90, 90), (1, 2, 3)).save(clean / "dog/red.png")
    Image.new("L", (90, 90), 7).save(clean / "dog/grey.png")
    Image.new("RGB", (90, 90), (1, 2, 3)).save(clean / "cat/red.png")  # no contradiction
    noise(3, (90, 90, 3), 100, 103).save(clean / "dog/pale.png")
    almost = Image.new("RGB", (90, 90), (1, 2, 3))
    almost.putpixel((40, 41), (1, 2, 4))
    almost.save(clean / "dog/almost.png")
    assert found(clean) == {
        "constant": [("cat/red.png", ""), ("dog/grey.png", ""), ("dog/red.png", "")],
        "pale": [
            ("dog/almost.png", "values spread by 0.0 of 255 levels"),
            ("dog/pale.png", "values spread by 0.8 of 255 levels"),
        ],
        "small": [("cat/low.png", "200×63, the network takes 64×64")],
    }
    assert "small" not in found(clean, image_size=63)


def test_folders_that_train_would_refuse_are_found(parted):
    noise(7001).save(parted / "train/stray.png")
    os.symlink(parted / "nowhere", parted / "train/cat/link.png")
    os.symlink(parted / "train/dog/loop.png", parted / "train/dog/loop.png")
    (parted / "train/cat/notes.txt").touch()
    (parted / "train/cat/.hidden.png").touch()
    (parted / "train/readme.md").touch()
    (parted / "train/owl").mkdir()
    noise(7002).save(parted / "train/owl/1.png")
    (parted / "val/snake").mkdir()
    assert found(parted) == {
        "broken-link": [("train/cat/link.png", ""), ("train/dog/loop.png", "")],
        "stray": [("train/stray.png", "")],
        "empty-class": [("val/snake", "")],
        "unknown-class": [("val: snake", "")],
        "untested-class": [("val: owl", "")],
        "few": [("owl", "1")],
        "other": [("train/readme.md", ""), ("train/cat/notes.txt", "")],
    }


def test_links_to_pictures_are_pictures(clean):
    os.symlink(clean / "cat/1.png", clean / "cat/again.png")
    assert found(clean) == {"duplicate": [("cat/1.png", "cat/again.png", "")]}


def test_a_flat_folder_of_test_pictures_is_no_fault(parted):
    shutil.rmtree(parted / "val")
    (parted / "val").mkdir()
    noise(7000).save(parted / "val/ILSVRC2012_val_00000001.JPEG", quality=95)
    shutil.copy(parted / "train/cat/1.png", parted / "val/two.png")
    assert found(parted) == {"leakage": [("train/cat/1.png", "val/two.png", "")]}


def test_notes_alone_are_no_fault(clean):
    (clean / "cat/Thumbs.db").touch()
    done = call("data", "check", clean)
    assert done.code == 0
    assert "passed over" in done.out
    assert "nothing is wrong" in done.out


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_the_number_of_workers_changes_nothing_but_how_many_are_open(workers, clean, monkeypatch):
    (clean / "cat/text.jpg").write_text("hello")
    shutil.copy(clean / "cat/5.png", clean / "dog/contrary.png")
    alone = check_data(str(clean), workers=1).to_dict()
    lock, open_now, most, really = threading.Lock(), set(), [0], look.look_at_file

    def watched(path):
        with lock:
            open_now.add(path)
            most[0] = max(most[0], len(open_now))
        seen = really(path)
        with lock:
            open_now.discard(path)
        return seen

    monkeypatch.setattr(look, "look_at_file", watched)
    told = []
    report = check_data(
        str(clean), workers=workers, begin=lambda total: told.append(total) or told.append
    )
    assert report.to_dict() == alone
    assert 1 <= most[0] <= workers
    assert (told[0], sum(told[1:])) == (22, 20)


def test_the_embedded_pictures_are_clean():
    done = call("data", "check", "embedded")
    assert (done.code, done.err) == (0, "")
    assert "6,000 pictures (5,000 training, 1,000 test) of 10 classes" in done.out


def test_pictures_in_memory_are_looked_through_too(monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (30, 3, 8, 8), np.uint8)
    labels = np.arange(30) % 3
    images[4] = images[1]  # the same class
    images[5] = images[6]  # 2 and 0
    images[7] = 9
    held = np.concatenate([images[20:21], np.zeros((1, 3, 8, 8), np.uint8)])
    opened = OpenedDataset(
        ArrayDataset(images, labels, ("a", "b", "c")),
        ArrayDataset(held, np.array([2, 0]), ("a", "b", "c")),
        "thirty and two",
    )
    monkeypatch.setattr("googlenet.checking.open_dataset", lambda name: opened)
    assert found("cifar10") == {
        "contradiction": [("training picture 5", "training picture 6", "as a and as c")],
        "leakage": [("training picture 20", "test picture 0", "")],
        "duplicate": [("training picture 1", "training picture 4", "")],
        "constant": [("training picture 7", ""), ("test picture 1", "")],
    }


def test_json_holds_all_of_it(clean):
    for number in range(5):
        (clean / f"cat/bad{number}.png").touch()
    done = call("data", "check", clean, "--json")
    said = json.loads(done.out)
    assert (done.code, said["clean"], said["data"]) == (1, False, repr(str(clean)))
    assert said["pictures"] == {"all": {"cat": 15, "dog": 10}}
    (finding,) = said["findings"]
    assert (finding["kind"], finding["count"], finding["note"]) == ("unreadable", 5, False)
    assert finding["items"][4] == {"names": ["cat/bad4.png"], "said": "is empty"}
    assert finding["advice"]


def test_the_table_names_some_and_all_of_them_if_asked_to(clean):
    for number in range(5):
        (clean / f"cat/bad{number}.png").touch()
    done = call("data", "check", clean)
    assert done.code == 1
    assert "cat/bad2.png: is empty" in done.out
    assert "bad3" not in done.out
    assert "and 2 more (--all)" in done.out
    assert "--on-error skip" in done.out
    assert "cat/bad4.png" in call("data", "check", clean, "--all").out


def test_names_cannot_write_onto_the_screen(clean):
    (clean / "cat/\x1b[2Jbad.png").touch()
    done = call("data", "check", clean)
    assert "\x1b" not in done.out
    assert r"cat/\x1b[2Jbad.png" in done.out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["nothing"], "Error: there is no dataset and no folder 'nothing'"),
        (["empty"], "Error: there are no pictures in 'empty'"),
        (["embedded", "--test-data", "empty"], "Error: test goes with a folder"),
        (["empty", "--test-data", "nothing"], "Error: there is no dataset and no folder 'nothing'"),
        (["file"], "Error: there is no dataset and no folder 'file'"),
    ],
)
def test_mistakes_are_one_sentence(arguments, complaint, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    done = call("data", "check", *arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(complaint)
    assert done.err.count("\n") == 1


def test_every_kind_says_what_to_do():
    for what, advice in KINDS.values():
        assert what
        assert advice.endswith((".", ")"))
