"""Saving and loading: whole or not at all, nothing pickled."""

import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigrad import checkpoint


def test_round_trip(tmp_path):
    weight = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    state = {"weight": weight.transpose(2, 0, 1), "bias": np.zeros(3), "count": np.array(7)}
    checkpoint.save(tmp_path / "a.safetensors", state, {"made": "by a test"})
    loaded, metadata = checkpoint.load(tmp_path / "a.safetensors")
    assert metadata == {"made": "by a test"}
    assert set(loaded) == set(state)
    for name, array in state.items():
        np.testing.assert_array_equal(loaded[name], array, strict=True)  # shape and dtype too


@pytest.mark.parametrize("call", ["os.fsync", "os.replace"])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, call):
    path = tmp_path / "a.bin"
    checkpoint.write_whole(path, b"old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(call, full)
    sentence = (
        r"the disk is full: 0.0 MiB for '.*a.bin' do not fit. What was written before is whole"
    )
    with pytest.raises(OSError, match=sentence):
        checkpoint.write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_written_is_forced_to_the_disk_before_it_is_renamed(tmp_path, monkeypatch):
    """File, then name, then the folder: in another order a crash can leave an empty file."""
    done = []
    for name in ("fsync", "replace"):
        sound = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, f=sound, n=name: done.append(n) or f(*a))
    checkpoint.write_whole(tmp_path / "a.bin", b"new")
    assert done == ["fsync", "replace", "fsync"]


def test_missing_file():
    with pytest.raises(FileNotFoundError, match="there is no file 'nowhere.safetensors'"):
        checkpoint.load("nowhere.safetensors")


@given(st.binary(max_size=64) | st.integers(0, 200))
def test_a_file_that_is_not_whole_is_refused(tmp_path_factory, damage):
    path = tmp_path_factory.mktemp("damaged") / "a.safetensors"
    checkpoint.save(path, {"weight": np.ones((3, 4), np.float32)})
    whole = path.read_bytes()
    path.write_bytes(damage if isinstance(damage, bytes) else whole[: damage % len(whole)])
    with pytest.raises(ValueError, match="is not a whole safetensors file"):
        checkpoint.load(path)


numbers = st.integers(-(10**30), 10**30) | st.floats() | st.booleans() | st.none() | st.text()
contents = st.dictionaries(
    st.text().filter(lambda name: name not in {"format", "sha256"}),
    st.recursive(numbers, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)),
)


@given(contents)
def test_json_comes_back(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("json") / "a.json"
    checkpoint.save_json(path, content)
    assert repr(checkpoint.load_json(path)) == repr(content)  # NaN as well


@given(st.data())
def test_one_wrong_bit_is_noticed_or_does_not_matter(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("bit") / "a"
    state = {"weight": np.arange(6, dtype=np.float32).reshape(2, 3), "step": np.array(3)}
    content = {"lr": 0.1, "history": [1.5, 2.5], "name": "run"}
    kind = data.draw(st.sampled_from(["arrays", "json"]))
    if kind == "arrays":
        checkpoint.save(path, state, {"made": "by a test"})
    else:
        checkpoint.save_json(path, content)
    whole = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, 8 * len(whole) - 1))
    whole[at // 8] ^= 1 << at % 8
    path.write_bytes(whole)
    try:
        if kind == "json":
            assert checkpoint.load_json(path) == content
            return
        loaded, metadata = checkpoint.load(path)
    except ValueError as error:
        assert str(path) in str(error)  # noqa: PT017
        return
    assert metadata == {"made": "by a test"}
    for name, array in state.items():
        np.testing.assert_array_equal(loaded[name], array, strict=True)


def test_files_of_others(tmp_path):
    from safetensors.numpy import save_file

    path = tmp_path / "theirs.safetensors"
    save_file({"weight": np.ones(2, np.float32)}, path, {"format": "pt"})
    with pytest.raises(ValueError, match="does not say its format: it is none of ours, or damaged"):
        checkpoint.load(path)
    state, metadata = checkpoint.load(path, foreign=True)
    assert (state["weight"].tolist(), metadata) == ([1.0, 1.0], {"format": "pt"})
    save_file({"weight": np.ones(2, np.float32)}, path, {"minigrad": '{"format": 1}'})
    with pytest.raises(ValueError, match="has no checksum"):
        checkpoint.load(path)


def test_files_of_a_newer_version(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "FORMAT", 7)
    checkpoint.save(tmp_path / "a", {})
    checkpoint.save_json(tmp_path / "b", {})
    monkeypatch.undo()
    sentence = r"was written by a newer version \(format 7; this one reads up to 1\): upgrade"
    with pytest.raises(ValueError, match=sentence):
        checkpoint.load(tmp_path / "a")
    with pytest.raises(ValueError, match=sentence):
        checkpoint.load_json(tmp_path / "b")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("", "is not whole JSON"), ("[1]", "holds no JSON object"), ("{}", "does not say its format"),
     ("[" * 100_000, "is not whole JSON"), ('{"format": 1}', "has no checksum"),
     ('{"format": 1, "sha256": "0"}', "is damaged"), ("\udcff", "is not whole JSON")],
)  # fmt: skip
def test_json_that_is_none_of_ours(tmp_path, text, sentence):
    path = tmp_path / "a.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ValueError, match=sentence):
        checkpoint.load_json(path)
