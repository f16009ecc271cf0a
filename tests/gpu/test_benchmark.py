"""The benchmark of the GPU, run on CuPy's stand-in: its steps work, and its table is whole."""

import pytest

import minigrad
from benchmarks import gpu, peers
from benchmarks.options import Options
from tests.gpu import host, standin


@pytest.mark.skipif(host.COMPILER is None, reason="no C++ compiler")
def test_steps_of_ours(monkeypatch):
    monkeypatch.setattr(peers, "torch", None)
    monkeypatch.setattr(gpu, "torch", None)
    monkeypatch.setattr(gpu, "GoogLeNet", lambda **o: minigrad_net(**o))
    monkeypatch.setattr(gpu, "peak", lambda side, step: 1.0)
    with standin.installed():
        (table,) = gpu.tables(Options(quick=True, rounds=1))
    assert [(row["step"], row["batch"]) for row in table.rows] == [
        ("training", 2), ("inference", 2), ("training", 4), ("inference", 4)
    ]  # fmt: skip
    assert table.notes == [peers.MISSING]


def minigrad_net(**options):
    from googlenet import GoogLeNet

    return GoogLeNet(5, in_channels=1, image_size=32, **options)


def test_without_a_gpu():
    if minigrad.cuda.is_available():
        pytest.skip("there is one")
    (table,) = gpu.tables(Options(quick=True))
    assert not table.rows
    assert "No GPU here" in table.notes[0]
