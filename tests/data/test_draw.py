"""The subset that ships is what its script draws; for the last word, the full dataset is needed.

Debian's package `dataset-fashion-mnist` brings it; elsewhere, the environment variable
FASHION_MNIST may name a folder that holds it.
"""

import hashlib
import os
import runpy
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigrad.data import read_idx, write_idx
from minigrad.data.fashion_mnist import draw as script

SHIPPED = Path(script.__file__).parent
SOURCE = Path(os.environ.get("FASHION_MNIST", "/usr/share/datasets/fashion-mnist"))
NAMES = [line.split()[1] for line in script.SOURCE_SHA256.strip().splitlines()]

needs_source = pytest.mark.skipif(
    not SOURCE.is_dir(), reason=f"the full Fashion-MNIST is not in {SOURCE}"
)


@settings(deadline=None)
@given(
    extra=st.lists(st.integers(0, 9), max_size=100),
    per_class=st.integers(1, 5),
    seed=st.integers(0, 100),
)
def test_the_chosen_are_the_lowest_tickets_of_each_class_in_rounds(extra, per_class, seed):
    labels = np.array([*np.repeat(np.arange(10), per_class), *extra])
    np.random.default_rng(seed).shuffle(labels)
    chosen = script.choose(labels, per_class)
    assert labels[chosen].tolist() == list(range(10)) * per_class

    tickets = np.random.PCG64(script.SEED).random_raw(len(labels))
    for kind in range(10):
        mine, winners = np.sort(tickets[labels == kind]), tickets[chosen[kind::10]]
        assert winners.tolist() == mine[:per_class].tolist()


def test_a_source_that_was_changed_is_refused_and_nothing_is_written(tmp_path):
    for name in NAMES:
        (tmp_path / name).write_bytes(b"something else")
    target = tmp_path / "target"
    target.mkdir()
    with pytest.raises(ValueError, match=r"train-images-idx3-ubyte\.gz has SHA-256 .* has"):
        script.draw(tmp_path, target)
    assert not list(target.iterdir())


def test_the_readme_tells_the_checksums_of_the_files_that_ship():
    readme = (SHIPPED / "README.md").read_text(encoding="utf-8")
    for name in NAMES:
        checksum = hashlib.sha256((SHIPPED / name).read_bytes()).hexdigest()
        assert f"{checksum}  {name}\n" in readme


def test_what_is_drawn_from_a_small_source(monkeypatch, tmp_path):
    """The whole way, where the full dataset is not at hand."""
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    checksums, pairs = [], {}
    for split, per_class in (("train", 3), ("t10k", 2)):
        labels = np.repeat(np.arange(10, dtype=np.uint8), per_class + 1)
        images = np.arange(len(labels) * 4, dtype=np.uint8).reshape(-1, 2, 2)
        pairs[split] = {
            (image.tobytes(), label) for image, label in zip(images, labels, strict=True)
        }
        for name, array in ((f"{split}-images-idx3", images), (f"{split}-labels-idx1", labels)):
            file = source / f"{name}-ubyte.gz"
            write_idx(file, array)
            checksums.append(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}")
    monkeypatch.setattr(script, "SOURCE_SHA256", "\n".join(checksums))
    monkeypatch.setattr(script, "PER_CLASS", {"train": 3, "t10k": 2})
    script.draw(source, target)
    for split, per_class in (("train", 3), ("t10k", 2)):
        images = read_idx(target / f"{split}-images-idx3-ubyte.gz")
        labels = read_idx(target / f"{split}-labels-idx1-ubyte.gz")
        assert labels.tolist() == list(range(10)) * per_class
        drawn = {(image.tobytes(), label) for image, label in zip(images, labels, strict=True)}
        assert len(drawn) == 10 * per_class
        assert drawn < pairs[split]


def test_the_script_is_told_its_source(monkeypatch, tmp_path):
    def start(*arguments):
        monkeypatch.setattr("sys.argv", ["draw", *map(str, arguments)])
        runpy.run_path(script.__file__, run_name="__main__")

    with pytest.raises(SystemExit, match=r"^usage: python -m minigrad\.data\..* SOURCE_FOLDER$"):
        start()
    for name in NAMES:
        (tmp_path / name).write_bytes(b"something else")
    before = {file.name: file.read_bytes() for file in SHIPPED.glob("*.gz")}
    with pytest.raises(ValueError, match="has SHA-256"):
        start(tmp_path)
    assert {file.name: file.read_bytes() for file in SHIPPED.glob("*.gz")} == before


@needs_source
def test_the_script_draws_the_files_that_ship(tmp_path):
    script.draw(SOURCE, tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(NAMES)
    for name in NAMES:
        np.testing.assert_array_equal(read_idx(tmp_path / name), read_idx(SHIPPED / name))
        if "ng" not in zlib.ZLIB_RUNTIME_VERSION:  # zlib-ng packs the same data differently
            assert (tmp_path / name).read_bytes() == (SHIPPED / name).read_bytes()


@needs_source
@pytest.mark.parametrize("split", ["train", "t10k"])
def test_every_image_that_ships_is_in_its_own_half_of_the_source_under_its_label(split):
    def pairs(folder):
        images = read_idx(folder / f"{split}-images-idx3-ubyte.gz")
        labels = read_idx(folder / f"{split}-labels-idx1-ubyte.gz")
        return {(image.tobytes(), label) for image, label in zip(images, labels, strict=True)}

    assert pairs(SHIPPED) <= pairs(SOURCE)
