"""Each test here runs twice: with CuPy's stand-in on the host, and (``-m gpu``) on a real GPU."""

import pytest

import minigrad.cuda
from tests.gpu import host, standin


@pytest.fixture(scope="module", params=["stand-in", pytest.param("device", marks=pytest.mark.gpu)])
def gpu(request):
    """Make ``device="cuda"`` work, on the host or on a GPU."""
    if request.param == "stand-in":
        if host.COMPILER is None:
            pytest.skip("no C++ compiler to run the kernels with")
        with standin.installed():
            yield "stand-in"
    else:
        if not minigrad.cuda.is_available():
            pytest.skip("no GPU here")
        yield "device"
