"""Folders of images: what counts as a picture, who is in which half, and what is refused."""

import json
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from minigrad.data import (
    Compose,
    DataLoader,
    ImageError,
    ImageFolder,
    Normalize,
    RandomResizedCrop,
    Resize,
    Subset,
    read_image,
)


def fill(root, **counts):
    """Write so many pictures of each class, every one of another colour."""
    for label, (name, count) in enumerate(counts.items()):
        (root / name).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            size, colour = (20 + i, 30 + label), (40 * label, i, 7)
            Image.new("RGB", size, colour).save(root / name / f"{i}.png", compress_level=1)


def test_classes_are_the_folders_and_files_are_sorted(tmp_path):
    fill(tmp_path, dog=2, cat=3, Emu=1)
    dataset = ImageFolder(tmp_path)
    assert dataset.classes == ("Emu", "cat", "dog")
    assert dataset.files == (
        "Emu/0.png",
        "cat/0.png",
        "cat/1.png",
        "cat/2.png",
        "dog/0.png",
        "dog/1.png",
    )
    assert dataset.labels.tolist() == [0, 1, 1, 1, 2, 2]
    assert len(dataset) == 6
    for index, file in enumerate(dataset.files):
        image, label = dataset[index]
        np.testing.assert_array_equal(image, read_image(tmp_path / file))
        assert dataset.classes[label] == file.split("/")[0]
        assert type(label) is int
    assert repr(dataset) == f"ImageFolder({str(tmp_path)!r}, 6 images, 3 classes)"
    assert dataset.describe(1) == repr(f"{tmp_path}/cat/0.png")
    with pytest.raises(IndexError):
        dataset[6]


def test_all_that_is_named_as_a_picture_is_one_and_nothing_else(tmp_path):
    folder = tmp_path / "class"
    folder.mkdir()
    image = Image.new("L", (3, 2))
    good = [
        "jpg",
        "jpeg",
        "png",
        "bmp",
        "gif",
        "webp",
        "tif",
        "tiff",
        "ppm",
        "pgm",
        "JPG",
        "Png",
        "tIFF",
    ]
    for suffix in good:
        image.save(folder / f"x.{suffix}")
    image.save(folder / ".hidden.png")
    for name in ("notes.txt", "png", "x.png.txt", "x.svg", "Thumbs.db"):
        (folder / name).write_text("no picture")
    os.mkfifo(folder / "pipe.png")
    (folder / "folder.png").mkdir()
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "README.md").write_text("about these pictures")
    dataset = ImageFolder(tmp_path)
    assert dataset.classes == ("class",)
    assert set(dataset.files) == {f"class/x.{suffix}" for suffix in good}
    assert dataset.check() == {}


ODD = ["a b", "ü 猫", "line\nbreak", "it's", "-rf", "%s{}", "train"]


def test_odd_names_are_fine(tmp_path):
    fill(tmp_path, **dict.fromkeys(ODD, 1))
    dataset = ImageFolder(tmp_path)
    assert dataset.classes == tuple(sorted(ODD))
    assert dataset.check() == {}
    assert "\n" not in dataset.describe(list(dataset.classes).index("line\nbreak"))


def test_names_that_are_not_utf8_are_fine_and_can_be_printed(tmp_path):
    fill(tmp_path, **{os.fsdecode(b"caf\xe9"): 2})
    dataset = ImageFolder(tmp_path)
    assert dataset.classes == ("caf\\xe9",)
    assert dataset.check() == {}
    dataset.split(0.5)
    json.dumps(dataset.classes, ensure_ascii=False).encode()
    assert ImageFolder(tmp_path, classes=dataset.classes).labels.tolist() == [0, 0]


def test_links_are_followed_and_loops_do_no_harm(tmp_path):
    fill(tmp_path / "elsewhere", cat=2)
    root = tmp_path / "root"
    root.mkdir()
    (root / "cat").symlink_to(tmp_path / "elsewhere" / "cat")
    (root / "cat" / "2.png").symlink_to(root / "cat" / "0.png")
    (root / "cat" / "around").symlink_to(root)
    (root / "loop").symlink_to(root / "loop")
    dataset = ImageFolder(root)
    assert dataset.files == ("cat/0.png", "cat/1.png", "cat/2.png")
    np.testing.assert_array_equal(dataset[2][0], dataset[0][0])
    # A picture that is a link to nothing, or to itself, is not lost in silence.
    (root / "cat" / "3.png").symlink_to(root / "cat" / "3.png")
    (root / "cat" / "4.png").symlink_to(root / "nowhere")
    dataset = ImageFolder(root)
    assert len(dataset) == 5
    assert list(dataset.check()) == [3, 4]


def test_pictures_are_read_as_asked_for(tmp_path):
    (tmp_path / "class").mkdir()
    file = tmp_path / "class" / "1.jpg"
    Image.linear_gradient("L").convert("RGB").save(file)
    options = {"channels": 1, "background": [1, 2, 3], "min_side": 64, "max_pixels": 2**16}
    dataset = ImageFolder(tmp_path, **options)
    assert json.loads(json.dumps(dataset.reading)) == options
    assert dataset[0][0].shape == (1, 64, 64)
    np.testing.assert_array_equal(dataset[0][0], read_image(file, **dataset.reading))
    with pytest.raises(ImageError, match="has 256×256 pixels, more than the 999"):
        ImageFolder(tmp_path, max_pixels=999)[0]
    with pytest.raises(ValueError, match="^ImageFolder: channels must be 3"):
        ImageFolder(tmp_path, channels=2)


def test_check_finds_what_cannot_be_read_and_subset_leaves_it_out(tmp_path):
    fill(tmp_path, cat=3, dog=3)
    (tmp_path / "cat" / "1.png").write_bytes(b"")
    whole = (tmp_path / "dog" / "2.png").read_bytes()
    (tmp_path / "dog" / "2.png").write_bytes(whole[: len(whole) // 2])
    dataset, seen = ImageFolder(tmp_path), []
    wrong = dataset.check(seen.append)
    assert list(wrong) == [1, 5]
    assert seen == list(range(6))
    assert "cat/1.png' is not a picture" in str(wrong[1])
    assert "dog/2.png' is damaged or cut short" in str(wrong[5])
    sound = dataset.subset(i for i in range(len(dataset)) if i not in wrong)
    assert sound.files == ("cat/0.png", "cat/2.png", "dog/0.png", "dog/1.png")
    assert sound.labels.tolist() == [0, 0, 1, 1]
    assert sound.classes == dataset.classes
    assert sound.check() == {}


def test_the_loader_names_the_file_that_cannot_be_read(tmp_path):
    fill(tmp_path, cat=3)
    (tmp_path / "cat" / "1.png").write_bytes(b"")
    with pytest.raises(RuntimeError, match=r"cat/1\.png' is not a picture in one of the formats"):
        list(DataLoader(ImageFolder(tmp_path), transform=Resize((8, 8))))


def test_pictures_of_all_sizes_come_into_one_batch(tmp_path):
    fill(tmp_path, cat=3, dog=2)
    transform = Compose([RandomResizedCrop(16), Normalize(0.5, 0.5)])
    ((images, labels),) = DataLoader(ImageFolder(tmp_path), 8, transform=transform)
    assert images.shape == (5, 3, 16, 16)
    assert labels.numpy().tolist() == [0, 0, 0, 1, 1]


# Refusals


def refusal(error, root, **options):
    with pytest.raises(error, match="^ImageFolder: ") as caught:
        ImageFolder(root, **options)
    return str(caught.value)


def test_a_root_that_is_no_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    nowhere = str(tmp_path / "nowhere")
    assert refusal(FileNotFoundError, nowhere) == f"ImageFolder: there is no folder {nowhere!r}"
    complaint = refusal(NotADirectoryError, tmp_path / "file")
    assert (
        complaint
        == f"ImageFolder: a folder was needed, but this is a file: {str(tmp_path / 'file')!r}"
    )
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert "Too many levels of symbolic links" in refusal(OSError, tmp_path / "loop")


def test_a_root_without_classes_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / ".hidden").mkdir()
    assert "holds no folders; one for each class was needed" in refusal(ValueError, tmp_path)


def test_pictures_beside_the_classes_are_refused(tmp_path):
    fill(tmp_path, cat=1)
    fill(tmp_path, **{".": 7})
    complaint = refusal(ValueError, tmp_path)
    assert f"7 pictures lie directly in {str(tmp_path)!r} ('0.png', '1.png', '2.png'" in complaint
    assert "'4.png', …), but each must lie in the folder of its class" in complaint


def test_a_class_without_pictures_is_refused(tmp_path):
    fill(tmp_path, cat=1, dog=0)
    (tmp_path / "dog" / "notes.txt").write_text("")
    assert refusal(ValueError, tmp_path).endswith(
        f"the class folder {str(tmp_path / 'dog')!r} holds no pictures (.jpg, .jpeg, .png, .bmp, "
        f".gif, .webp, .tif, .tiff, .ppm, .pgm)"
    )


def test_a_root_one_too_high_is_refused(tmp_path):
    fill(tmp_path / "train", cat=1, dog=1)
    assert refusal(ValueError, tmp_path).endswith(
        "but folders ('cat', 'dog'): is the root one too high?"
    )


def test_classes_that_were_not_trained_are_refused(tmp_path):
    fill(tmp_path / "train", cat=1, dog=1, emu=1)
    fill(tmp_path / "test", cat=1, emu=2)
    classes = ImageFolder(tmp_path / "train").classes
    test = ImageFolder(tmp_path / "test", classes=classes)
    assert test.classes == ("cat", "dog", "emu")
    assert test.labels.tolist() == [0, 2, 2]
    fill(tmp_path / "test", Emu=1)
    complaint = refusal(ValueError, tmp_path / "test", classes=classes)
    assert complaint.endswith("has a folder 'Emu', but the classes are 'cat', 'dog', 'emu'")


@contextmanager
def without_rights():
    """Be nobody for a while: to root, every folder is open."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


@pytest.fixture
def public():
    """A folder that others may enter, unlike pytest's."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_folders_that_may_not_be_listed_are_refused(public):
    fill(public, cat=1, dog=1)
    (public / "dog").chmod(0)
    with without_rights():
        complaint = refusal(PermissionError, public)
    (public / "dog").chmod(0o755)
    assert complaint == f"ImageFolder: no permission to list the folder {str(public / 'dog')!r}"


def test_a_picture_that_may_not_be_read_is_refused(public):
    fill(public, cat=2)
    (public / "cat" / "1.png").chmod(0)
    with without_rights():
        wrong = ImageFolder(public).check()
    assert list(wrong) == [1]
    assert "cat/1.png' cannot be read: Permission denied" in str(wrong[1])


# Splits


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    root = tmp_path_factory.mktemp("many")
    fill(root, a=40, b=10, c=2, d=1)
    return root


@settings(deadline=None)
@given(held_out=st.floats(0.01, 0.99), seed=st.integers(-5, 2**70))
def test_of_each_class_the_same_share_is_held_out(held_out, seed, many):
    dataset = ImageFolder(many)
    training, test = dataset.split(held_out, seed)
    assert sorted(training.files + test.files) == sorted(dataset.files)
    assert training.files == tuple(sorted(training.files))
    for part in (training, test):
        assert part.classes == dataset.classes
        assert [dataset.classes[label] for label in part.labels] == [f[0] for f in part.files]
    for label, size in enumerate((40, 10, 2)):
        count = int((test.labels == label).sum())
        assert 1 <= count <= size - 1
        assert abs(count - held_out * size) <= 0.5 or count in (1, size - 1)
    assert (test.labels == 3).sum() == 0  # of a single picture none
    again = ImageFolder(many).split(held_out, seed)
    assert (again[0].files, again[1].files) == (training.files, test.files)


def test_another_seed_holds_out_others(many):
    halves = {ImageFolder(many).split(0.5, seed)[1].files for seed in range(20)}
    assert len(halves) == 20


def test_every_picture_is_held_out_about_equally_often(many):
    counts = dict.fromkeys(ImageFolder(many).files, 0)
    for seed in range(400):
        for file in ImageFolder(many).split(0.25, seed)[1].files:
            counts[file] += 1
    of_a = [count for file, count in counts.items() if file.startswith("a/")]
    assert 65 <= min(of_a) <= max(of_a) <= 135  # four standard deviations around 100


def test_a_split_depends_on_the_names_within_the_folder_only(many, tmp_path, monkeypatch):
    expected = ImageFolder(many).split(0.3, 5)[1].files
    shutil.copytree(many, tmp_path / "moved")
    assert ImageFolder(tmp_path / "moved").split(0.3, 5)[1].files == expected
    monkeypatch.chdir(tmp_path / "moved")
    assert ImageFolder(".").split(0.3, 5)[1].files == expected
    monkeypatch.undo()
    listed = os.scandir
    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", lambda folder: Backwards(listed(folder)))
        assert ImageFolder(many).split(0.3, 5)[1].files == expected
    # These were held out when this was first written, and must be for ever after.
    assert expected[:4] == ("a/1.png", "a/12.png", "a/21.png", "a/22.png")


class Backwards:
    """A listing in another order."""

    def __init__(self, entries):
        self.entries = entries

    def __enter__(self):
        return reversed(list(self.entries))

    def __exit__(self, *_):
        self.entries.close()


def test_a_new_picture_moves_few_others(many, tmp_path):
    before = set(ImageFolder(many).split(0.25)[1].files)
    shutil.copytree(many, tmp_path / "grown")
    Image.new("L", (3, 3)).save(tmp_path / "grown" / "a" / "00.png")
    after = set(ImageFolder(tmp_path / "grown").split(0.25)[1].files)
    assert len(before ^ after) <= 2


@pytest.mark.parametrize("held_out", [0, 1, 0.0, 1.0, -0.1, float("nan"), "half", None])
def test_a_share_that_is_none_is_refused(held_out, many):
    with pytest.raises(ValueError, match="split: held_out must lie between 0 and 1, but is"):
        ImageFolder(many).split(held_out)


@pytest.mark.parametrize("seed", [0.5, None, "1", True])
def test_a_seed_that_is_none_is_refused(seed, many):
    with pytest.raises(ValueError, match="split: seed must be an integer, but is"):
        ImageFolder(many).split(0.5, seed)


def test_a_subset_of_any_dataset(many):
    dataset = ImageFolder(many)
    some = Subset(dataset, [52, 0, -1, 0])
    assert len(some) == 4
    assert [label for _, label in some] == [3, 0, 3, 0]
    assert some.classes == dataset.classes
    assert some.describe(0) == dataset.describe(52)
    assert Subset(some, [1]).describe(0) == dataset.describe(0)
    assert repr(some) == f"Subset(4 of {dataset!r})"
    with pytest.raises(IndexError):
        Subset(dataset, [53])

    class Plain:
        classes = ("one",)

        def __len__(self):
            return 3

        def __getitem__(self, index):
            return np.zeros((1, 2, 2), np.uint8), 0

        def __repr__(self):
            return "Plain()"

    assert Subset(Plain(), [2]).describe(0) == "image 2 of Plain()"
