"""The step with the loader beside it: that both sides get the same pictures, and what is timed."""

import pytest

from benchmarks import feeding


def test_both_sides_read_the_same_pictures(tmp_path):
    pytest.importorskip("torch")
    folder = feeding.files(tmp_path, 1)
    assert len(folder) == 16
    feeding.check(folder, 3)


def test_our_transform_and_the_peers_differ_where_the_crop_does(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    folder = feeding.files(tmp_path, 1)
    monkeypatch.setattr(feeding, "SIZE", 223)
    with pytest.raises(AssertionError, match="photographs"):
        feeding.check(folder, 3)


def test_the_loader_is_asked_for_one_batch_a_turn(monkeypatch):
    """And the batch that was ready is the same in all turns."""
    order = []
    monkeypatch.setattr(feeding, "settle", lambda: order.append("settle"))
    alone, beside = feeding.in_turns(lambda *batch: order.append(batch), [(0,), (1,), (2,)], 2)
    one = ["settle", (0,), "settle", (1,), "settle", (0,), "settle", (2,)]
    assert order == [(0,), *one]
    assert (alone.count, beside.count) == (2, 2)
