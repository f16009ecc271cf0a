"""The full Fashion-MNIST: where it is looked for, in which order, and what is taken for it."""

import gzip
import hashlib
import struct

import numpy as np
import pytest

from minigrad.data import FashionMNIST, open_dataset, write_idx
from minigrad.data.fashion_mnist import published
from tests.data.server import Server

NAMES = [*published.file_names(train=True), *published.file_names(train=False)]
needs_package = pytest.mark.skipif(
    not published.SYSTEM_FOLDER.is_dir(), reason="Debian's dataset-fashion-mnist is not installed"
)


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A folder with four small files that count as the published ones; nothing is anywhere else."""
    folder = tmp_path / "source"
    folder.mkdir()
    rng, known = np.random.default_rng(0), {}
    for name in NAMES:
        count = 12 if "train" in name else 7
        images = rng.integers(0, 256, (count, 28, 28), np.uint8)
        array = images if "images" in name else rng.integers(0, 10, count, np.uint8)
        write_idx(folder / name, array)
        content = (folder / name).read_bytes()
        sums = hashlib.sha256(content).hexdigest(), hashlib.sha256(array.tobytes()).hexdigest()
        known[name] = published.File(len(content), *sums)
    monkeypatch.setattr(published, "FILES", known)
    monkeypatch.setattr(published, "SYSTEM_FOLDER", tmp_path / "system")
    monkeypatch.setattr(published, "ADDRESSES", ("http://127.0.0.1:1/",))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv(published.VARIABLE, raising=False)
    return folder


@pytest.fixture
def server(small, monkeypatch):
    server = Server()
    server.files = {f"/{name}": (small / name).read_bytes() for name in NAMES}
    monkeypatch.setattr(published, "ADDRESSES", (server.url.removesuffix("file"),))
    yield server
    server.close()


def copy(source, target, *names, packed_anew=False):
    target.mkdir(exist_ok=True)
    for name in names or NAMES:
        content = (source / name).read_bytes()
        if packed_anew:
            content = gzip.compress(gzip.decompress(content), 1)
        (target / name).write_bytes(content)


def test_a_folder_that_is_named_is_taken(small):
    for train, count in ((True, 12), (False, 7)):
        dataset = FashionMNIST(train, root=small, full=True)
        assert len(dataset) == count
        assert dataset.root == small


def test_the_systems_package_comes_first_then_the_variable_then_the_cache(
    small, server, tmp_path, monkeypatch
):
    system, variable = tmp_path / "system", tmp_path / "variable"
    cache = tmp_path / "cache" / "minigrad" / "fashion-mnist"
    assert FashionMNIST(full=True).root == cache
    assert len(server.asked) == 2  # the training images and labels, and not the others
    copy(small, variable)
    monkeypatch.setenv(published.VARIABLE, str(variable))
    assert FashionMNIST(full=True).root == variable
    copy(small, system, packed_anew=True)
    assert FashionMNIST(full=True).root == system
    assert len(server.asked) == 2
    # A package that lacks a file is passed over.
    (system / NAMES[1]).unlink()
    assert FashionMNIST(full=True).root == variable
    assert FashionMNIST(False, full=True).root == system


def test_it_is_downloaded_once(small, server):
    told = []
    for _ in range(2):
        opened = open_dataset("fashion-mnist", progress=lambda *what: told.append(what))
        assert [len(opened.training), len(opened.test)] == [12, 7]
    assert len(server.asked) == 4
    assert [name for name, have, size in told if have == size] == NAMES
    with gzip.open(small / NAMES[0]) as file:
        assert opened.training.images.tobytes() == file.read()[16:]


def test_the_second_address_helps_out(server, monkeypatch):
    monkeypatch.setattr(published, "ADDRESSES", ("http://127.0.0.1:1/", *published.ADDRESSES))
    assert len(FashionMNIST(full=True)) == 12


def test_where_it_is_nowhere_the_error_tells_three_ways(small):
    with pytest.raises(FileNotFoundError) as caught:
        FashionMNIST(full=True)
    sentence = str(caught.value)
    assert sentence.startswith("FashionMNIST: the full dataset is not on this machine. There are")
    for way in (
        "install Debian's package dataset-fashion-mnist; ",
        "name a folder with its four gzip files, as root or in the environment variable "
        "MINIGRAD_FASHION_MNIST; ",
        "or have it downloaded, 30 megabytes, which was tried just now: download: ",
        "http://127.0.0.1:1/train-images-idx3-ubyte.gz cannot be reached: ",
    ):
        assert way in sentence


def test_a_variable_that_names_a_folder_without_the_files_is_refused(small, monkeypatch, tmp_path):
    monkeypatch.setenv(published.VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match=r"no file .*nowhere.train-images"):
        FashionMNIST(full=True)


def test_another_dataset_of_the_same_form_is_not_taken_for_it(small):
    other = np.zeros((12, 28, 28), np.uint8)
    write_idx(small / NAMES[0], other)
    with pytest.raises(ValueError, match=r"train-images.*' does not hold what Fashion-MNIST publ"):
        FashionMNIST(root=small, full=True)
    assert len(FashionMNIST(root=small)) == 12  # without full, that is allowed
    write_idx(small / NAMES[3], np.zeros(7, np.uint8))
    with pytest.raises(ValueError, match=r"t10k-labels.*of shape \(7,\), has the SHA-256"):
        FashionMNIST(False, root=small, full=True)


def test_the_cache_lies_at_home_if_nothing_else_is_said(monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/someone")
    assert (
        str(published.cache_folder("fashion-mnist"))
        == "/home/someone/.cache/minigrad/fashion-mnist"
    )


def test_the_embedded_subset_looks_nowhere(small):
    assert [len(FashionMNIST(train)) for train in (True, False)] == [5000, 1000]


@needs_package
def test_the_package_holds_all_of_it():
    training, test, description = open_dataset("fashion-mnist")
    for dataset, per_class in ((training, 6000), (test, 1000)):
        assert dataset.images.shape == (10 * per_class, 1, 28, 28)
        np.testing.assert_array_equal(np.bincount(dataset.labels), [per_class] * 10)
    assert description == (
        "Fashion-MNIST in '/usr/share/datasets/fashion-mnist', 60000 training and 10000 test "
        "pictures"
    )


# When the authors packed their files, in seconds since 1970, and the MD5 sums that they publish.
PACKED = {
    "train-images-idx3-ubyte.gz": (1504176606, "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
    "train-labels-idx1-ubyte.gz": (1504176606, "25c81989df183df01b3e8a0aad5dffbe"),
    "t10k-images-idx3-ubyte.gz": (1504176627, "bef4ecab320f06d8554ea6380940ec79"),
    "t10k-labels-idx1-ubyte.gz": (1504176627, "bb300cfdad3c16e7a12a480ee83cd310"),
}


@needs_package
@pytest.mark.parametrize("name", NAMES)
def test_with_name_and_time_in_the_header_the_packages_files_are_the_published_ones(name):
    packed = (published.SYSTEM_FOLDER / name).read_bytes()
    assert packed[:4] == b"\x1f\x8b\x08\x00"  # gzip, deflate, no name
    time, md5 = PACKED[name]
    header = b"\x1f\x8b\x08\x08" + struct.pack("<I", time) + packed[8:10]
    original = header + name.removesuffix(".gz").encode() + b"\0" + packed[10:]
    assert hashlib.md5(original).hexdigest() == md5
    assert len(original) == published.FILES[name].size
    assert hashlib.sha256(original).hexdigest() == published.FILES[name].sha256
