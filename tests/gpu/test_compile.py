"""Every kernel compiles for real GPUs, with NVIDIA's compiler: no warning, nothing spilled."""

import pytest

from minigrad.gpu.signature import kernels
from tests.gpu import nvrtc
from tests.gpu.sources import sources

needs_nvrtc = pytest.mark.skipif(nvrtc.library() is None, reason="NVRTC is not installed")


@needs_nvrtc
@pytest.mark.parametrize("target", nvrtc.TARGETS)
@pytest.mark.parametrize(
    ("room", "real"), [(room, real) for room, source in sources().items() for real in source.reals]
)
def test_compiles(room, real, target):
    code = sources()[room].code()
    usage = nvrtc.compiled(code, real, target)
    assert usage.keys() == kernels(code).keys()
    assert not {name: u for name, u in usage.items() if u.spilled}


@needs_nvrtc
def test_an_error_names_the_file():
    code = sources()["relu"].code().replace("out[i]", "out[j]", 1)
    with pytest.raises(SyntaxError, match=r'kernels\.cu.*"j" is undefined'):
        nvrtc.compiled(code, "float", "sm_80")


def test_there_are_sources():
    assert {"conv", "pool", "relu"} <= sources().keys()
