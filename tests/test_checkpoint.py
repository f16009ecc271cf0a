"""Saving and loading: whole or not at all, nothing pickled."""

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


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "a.bin"
    checkpoint.write_whole(path, b"old")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        checkpoint.write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


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
