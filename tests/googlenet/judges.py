"""torchvision as a judge, wherever it can be had."""

import importlib.util
import sys

import pytest


def torchvision_models():
    """Return torchvision.models; the test is skipped where there is none.

    A torchvision that was built for CUDA cannot load its compiled part beside a PyTorch for the CPU
    alone. No network needs that part, but its import asks for two operations of it by name.
    """
    torch = pytest.importorskip("torch")
    if importlib.util.find_spec("torchvision") is None:
        pytest.skip("torchvision is not installed")
    try:
        import torchvision.models
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        for name in [n for n in sys.modules if n.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        stand_ins = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            stand_ins.define(f"{name}(Tensor boxes, Tensor scores, float threshold) -> Tensor")
        import torchvision.models
    return torchvision.models
