"""Folders laid out as ImageNet's: numbers for classes, names and labels in files beside them."""

import json

import numpy as np
import pytest

from minigrad.data import ImageFolder, open_dataset, read_class_names, read_ground_truth
from tests.data.test_image_folder import fill

FOLDERS = ("n01440764", "n02012849", "n03126707")
LINES = (
    "n01440764 tench, Tinca tinca\nn01443537 goldfish, Carassius auratus\n"
    "n02012849 crane\nn03126707 crane\n"
)
NAMES = ("tench", "crane (n02012849)", "crane (n03126707)")
INDEX = {"0": ["n01440764", "tench"], "1": ["n02012849", "crane"], "2": ["n03126707", "crane"]}
FORMS = {
    "LOC_synset_mapping.txt": LINES,
    "windows.txt": "\ufeff" + LINES.replace("\n", "\r\n\r\n"),
    "tabs.txt": LINES.replace(" ", "\t", 1),
    "imagenet_class_index.json": json.dumps(INDEX),
    "pairs.json": json.dumps(list(INDEX.values())),
    "by_folder.json": json.dumps(dict(INDEX.values())),
    "names.json": json.dumps(["tench", "crane", "crane"]),
    "by_number.json": json.dumps({"0": "tench", "1": "crane", "2": "crane"}),
}


@pytest.fixture
def imagenet(tmp_path):
    """train in folders, val flat, test without any labels."""
    fill(tmp_path / "train", **dict.fromkeys(FOLDERS, 3))
    fill(tmp_path, val=4, test=2)
    for number, path in enumerate(sorted((tmp_path / "val").iterdir())):
        path.rename(path.with_name(f"ILSVRC2012_val_{number:08}.JPEG"))
    return tmp_path


@pytest.mark.parametrize("form", FORMS)
def test_names_are_read_from_every_form(form, tmp_path):
    (tmp_path / form).write_text(FORMS[form], encoding="utf-8")
    found = read_class_names(tmp_path / form, FOLDERS)
    assert found == dict(zip(FOLDERS, NAMES, strict=True))


def test_what_names_folders_called_by_numbers_is_no_list(tmp_path):
    file = tmp_path / "names.json"
    file.write_text('{"0": "zero", "1": "one", "2": "two"}')
    assert read_class_names(file, ["1", "2"]) == {"1": "one", "2": "two"}


def test_commas_are_kept_where_there_is_no_wordnet(tmp_path):
    file = tmp_path / "names.txt"
    file.write_text("a bread, butter and jam\n")
    assert read_class_names(file, ["a"]) == {"a": "bread, butter and jam"}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (LINES[:29], "has no name for 'n02012849', 'n03126707'; it names 'n01440764'"),
        (LINES + LINES[:29], "names 'n01440764' more than once"),
        ("n01440764\n", "line 1 of .* is 'n01440764', but a folder and its name were needed"),
        ("n01440764 , x\n", "gives 'n01440764' an empty name"),
        ("", "has no name for 'n01440764', 'n02012849', 'n03126707'; it names nothing"),
        ('{"n01440764": "a", "n01440764": "b"}', "names 'n01440764' more than once"),
        ('["a", "b"]', "lists 2 names without folders, but there are 3 folders"),
        ("[1, 2, 3]", "is in none of the forms that are known: "),
        ('{"0": ["a"]}', "is in none of the forms"),
        ("[[]]", "is in none of the forms"),
        ("{", "is not sound JSON"),
        ("[" * 100_000, "is not sound JSON"),
        (b"\xff\xfe", "is not text in UTF-8"),
    ],
)
def test_a_file_that_does_not_name_them_is_refused(content, complaint, tmp_path):
    file = tmp_path / "names"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=f"^read_class_names: .*{complaint}"):
        read_class_names(file, FOLDERS)


def test_a_folder_shows_readable_names(imagenet, tmp_path):
    file = imagenet / "LOC_synset_mapping.txt"
    file.write_text(LINES)
    plain = ImageFolder(imagenet / "train")
    named = ImageFolder(imagenet / "train", names=file)
    assert (plain.classes, named.classes) == (FOLDERS, NAMES)
    assert named.folders == FOLDERS
    assert named.files == plain.files
    np.testing.assert_array_equal(named.labels, plain.labels)
    assert named.subset([8])[0][1] == 2
    again = ImageFolder(imagenet / "train", names=dict(zip(FOLDERS, NAMES, strict=True)))
    assert again.classes == NAMES
    with pytest.raises(ValueError, match="has a folder 'n01440764', called 'tench', but the class"):
        ImageFolder(imagenet / "train", names=file, classes=("goldfish",))
    with pytest.raises(ValueError, match="names has no name for the folder 'n02012849'"):
        ImageFolder(imagenet / "train", names={"n01440764": "tench"})
    with pytest.raises(ValueError, match="names calls two folders the same"):
        ImageFolder(imagenet / "train", names=dict.fromkeys(FOLDERS, "thing"))


TRUTH = {
    "LOC_val_solution.csv": "ImageId,PredictionString\n"
    + "".join(f"ILSVRC2012_val_{n:08},{FOLDERS[n % 3]} 1 2 3 4 \n" for n in range(6)),
    "val.txt": "".join(f"ILSVRC2012_val_{n:08}.JPEG {n % 3}\n" for n in range(4)),
}


@pytest.mark.parametrize("form", TRUTH)
def test_a_flat_folder_takes_its_labels_from_a_file(form, imagenet):
    (imagenet / form).write_text(TRUTH[form])
    (imagenet / "names.txt").write_text(LINES)
    opened = open_dataset(imagenet, names=imagenet / "names.txt", channels=1)
    assert opened.test.root == imagenet / "val"
    assert opened.test.labels.tolist() == [0, 1, 2, 0]
    assert opened.training.classes == opened.test.classes == NAMES
    assert opened.test[3][0].shape[0] == 1
    assert opened.test.reading == opened.training.reading
    assert opened.test.subset([1]).describe(0) == f"'{imagenet}/val/ILSVRC2012_val_00000001.JPEG'"
    elsewhere = (imagenet / form).rename(imagenet / "truth")
    for other in (
        open_dataset(imagenet, ground_truth=elsewhere),
        open_dataset(imagenet / "train", test=imagenet / "val", ground_truth=elsewhere),
    ):
        assert other.test.labels.tolist() == [0, 1, 2, 0]
        assert other.test.classes == FOLDERS


def test_without_a_file_the_sentence_says_which(imagenet):
    with pytest.raises(
        ValueError, match=r"lie in no folders of classes: .* LOC_val_solution.csv or"
    ):
        open_dataset(imagenet)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("490\n361\n", "line 1 of .* is '490', but a picture.*development kit.*meta.mat"),
        ("a.JPEG 3\n", "line 1 of .* says that 'a.JPEG' is of the class '3', but the 3 classes"),
        ("a.JPEG -1\n", "of the class '-1'"),
        ("a n02012849\nb n09999999\n", "line 2 of .* 'b' is of the class 'n09999999'"),
        ("a 1\na 2\n", "tells of 'a' more than once"),
        ("a " + "9" * 5000, "is of the class '999"),
        ("a 0000000001", "is of the class '0000000001'"),
    ],
)
def test_a_ground_truth_that_does_not_fit_is_refused(content, complaint, tmp_path):
    (tmp_path / "truth").write_text(content)
    with pytest.raises(ValueError, match=f"^read_ground_truth: .*{complaint}"):
        read_ground_truth(tmp_path / "truth", FOLDERS)


@pytest.mark.parametrize("label", [3, -1, "1", 0.5])
def test_a_label_that_no_class_has_is_told(label, imagenet):
    name = "ILSVRC2012_val_00000002"
    labels = {f"ILSVRC2012_val_{n:08}": 0 for n in range(4)} | {name: label}
    with pytest.raises(ValueError, match=f"gives '{name}.JPEG' the label {label!r}, but the 3 cla"):
        ImageFolder.of_files(imagenet / "val", labels, FOLDERS)


def test_a_picture_without_a_label_is_named(imagenet):
    (imagenet / "val.txt").write_text(TRUTH["val.txt"].split("\n", 1)[1])
    with pytest.raises(
        ValueError, match=r"1 pictures in .* have no label \('ILSVRC2012_val_000000"
    ):
        open_dataset(imagenet)


def test_of_several_folders_the_one_with_classes_is_to_test_on(tmp_path):
    fill(tmp_path / "train", a=2, b=2)
    fill(tmp_path / "val", a=1, b=1)
    fill(tmp_path, test=2)
    assert open_dataset(tmp_path).test.root == tmp_path / "val"


def test_a_ground_truth_needs_a_folder(tmp_path):
    fill(tmp_path, a=3, b=3)
    (tmp_path / "truth").write_text("x 1\n")
    with pytest.raises(
        ValueError, match="ground_truth tells of test pictures .* but there is none"
    ):
        open_dataset(tmp_path, ground_truth=tmp_path / "truth")


def test_test_folders_take_the_names_of_the_training_folders(tmp_path):
    fill(tmp_path / "train", **dict.fromkeys(FOLDERS, 2))
    fill(tmp_path / "val", n03126707=1)
    (tmp_path / "names.json").write_text(FORMS["names.json"])
    opened = open_dataset(tmp_path, names=tmp_path / "names.json")
    assert opened.test.classes == NAMES
    assert opened.test.labels.tolist() == [2]
    fill(tmp_path / "val", n09999999=1)
    with pytest.raises(ValueError, match="names has no name for the folder 'n09999999'"):
        open_dataset(tmp_path, names=tmp_path / "names.json")
