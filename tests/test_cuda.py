"""Without CuPy: what there is said to be, and what to install."""

import sys

import pytest

import minigrad


@pytest.fixture
def no_cupy(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)  # importing it fails


@pytest.mark.usefixtures("no_cupy")
def test_there_is_no_gpu():
    assert not minigrad.cuda.is_available()
    assert minigrad.cuda.device_count() == 0
    assert minigrad.cuda.preferred_device() == "cpu"


@pytest.mark.usefixtures("no_cupy")
def test_what_to_install():
    with pytest.raises(
        minigrad.DeviceError, match="pip install cupy-cuda12x .for CUDA 12. or cupy-"
    ):
        minigrad.tensor([1.0], device="cuda")
    with pytest.raises(minigrad.DeviceError, match="cuda: CuPy cannot be imported"):
        minigrad.cuda.synchronize()
