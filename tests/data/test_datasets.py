import numpy as np
import pytest

from minigrad.data import ArrayDataset, FashionMNIST, write_idx

IMAGES = np.arange(4 * 3 * 2 * 2, dtype=np.uint8).reshape(4, 3, 2, 2)
LABELS = np.array([0, 1, 1, 0], np.uint8)


def array_dataset(images=IMAGES, labels=LABELS, classes=("cat", "dog")):
    return ArrayDataset(images, labels, classes)


def test_an_array_dataset_is_a_sequence_of_images_and_labels():
    dataset = array_dataset()
    assert len(dataset) == 4
    assert dataset.classes == ("cat", "dog")
    for index, (image, label) in enumerate(dataset):
        np.testing.assert_array_equal(image, IMAGES[index])
        assert label == LABELS[index]
        assert type(label) is int


def test_the_images_handed_out_cannot_be_written_to_but_the_callers_array_can():
    images = IMAGES.copy()
    image, _ = array_dataset(images)[0]
    with pytest.raises(ValueError, match="read-only"):
        image += 1
    images += 1  # the caller's own array stays the caller's


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"images": IMAGES[0]}, r"images must be \(N, C, H, W\).*shape \(3, 2, 2\)"),
        ({"images": IMAGES.astype(int)}, "type int64"),
        ({"labels": LABELS[:3]}, r"labels must be 4 integers.*shape \(3,\)"),
        ({"labels": LABELS.astype(float)}, "type float64"),
        ({"labels": LABELS + 1}, "labels must lie from 0 to 1.*but go from 1 to 2"),
        ({"labels": LABELS.astype(int) - 1}, "go from -1 to 0"),
    ],
)
def test_arrays_that_do_not_fit_are_refused_in_a_sentence(change, complaint):
    with pytest.raises(ValueError, match=complaint):
        array_dataset(**change)


@pytest.mark.parametrize(("train", "per_class"), [(True, 500), (False, 100)])
def test_the_subset_that_ships_is_balanced_and_so_is_every_start_of_it(train, per_class):
    dataset = FashionMNIST(train=train)
    assert dataset.images.shape == (10 * per_class, 1, 28, 28)
    assert dataset.images.dtype == np.uint8
    assert len(dataset.classes) == 10
    np.testing.assert_array_equal(np.bincount(dataset.labels), [per_class] * 10)
    np.testing.assert_array_equal(dataset.labels, np.arange(10 * per_class) % 10)


def test_no_image_of_the_subset_occurs_twice_not_even_once_in_each_half():
    halves = [FashionMNIST(train=True), FashionMNIST(train=False)]
    images = [image.tobytes() for half in halves for image, _ in half]
    assert len(set(images)) == len(images) == 6000


@pytest.mark.parametrize("train", [True, False])
def test_the_classes_look_as_their_names_say(train):
    # Trousers are narrow, ankle boots are taller than sneakers, bags and coats are wide: with the
    # labels moved by one class, or the images transposed, none of this would hold.
    dataset = FashionMNIST(train=train)
    mean = {
        name: dataset.images[dataset.labels == label, 0].mean(axis=0)
        for label, name in enumerate(dataset.classes)
    }
    left_edge = {name: image[:, :8].mean() for name, image in mean.items()}
    top_half = {name: image[:14].mean() for name, image in mean.items()}
    sides = np.argsort([left_edge[name] for name in dataset.classes])
    assert {dataset.classes[label] for label in sides[:2]} == {"Trouser", "Dress"}
    assert top_half["Sneaker"] < top_half["Ankle boot"] < top_half["Coat"]


def write_fashion(folder, images, labels, split="train"):
    write_idx(folder / f"{split}-images-idx3-ubyte.gz", images)
    write_idx(folder / f"{split}-labels-idx1-ubyte.gz", labels)


def test_a_root_folder_is_read_by_the_original_file_names(tmp_path):
    images = np.arange(3 * 28 * 28).reshape(3, 28, 28).astype(np.uint8)
    write_fashion(tmp_path, images, np.array([9, 0, 5], np.uint8))
    write_fashion(tmp_path, images[:1], np.array([7], np.uint8), split="t10k")
    train, test = FashionMNIST(root=tmp_path), FashionMNIST(train=False, root=str(tmp_path))
    np.testing.assert_array_equal(train.images[:, 0], images)
    assert train.labels.tolist() == [9, 0, 5]
    assert (len(test), test[0][1]) == (1, 7)


def test_a_root_folder_without_the_files_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file .*train-images-idx3-ubyte\.gz"):
        FashionMNIST(root=tmp_path)


@pytest.mark.parametrize(
    ("images", "labels", "complaint"),
    [
        (np.zeros((2, 28, 27), np.uint8), [0, 1], r"train-images.* shape \(2, 28, 27\)"),
        (np.zeros((2, 28, 28), np.float32), [0, 1], "type float32"),
        (np.zeros((2, 28, 28), np.uint8), [0, 1, 2], "labels must be 2 integers"),
        (np.zeros((2, 28, 28), np.uint8), [0, 10], "go from 0 to 10"),
    ],
)
def test_files_that_are_not_fashion_mnist_are_refused(images, labels, complaint, tmp_path):
    write_fashion(tmp_path, images, np.array(labels, np.uint8))
    with pytest.raises(ValueError, match=f"^FashionMNIST: .*{complaint}"):
        FashionMNIST(root=tmp_path)
