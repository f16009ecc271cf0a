"""torchvision, as a judge, where it is installed."""

import importlib
from types import ModuleType

import pytest


def torchvision_functional() -> ModuleType:
    """Return torchvision's transforms as functions, or skip the test.

    A torchvision that was built for another build of PyTorch lacks its compiled operations, which
    its transforms do not need; but it will not be imported before they are declared.
    """
    torch = pytest.importorskip("torch")
    try:
        importlib.import_module("torchvision")
    except ImportError:
        pytest.skip("torchvision is not installed")
    except RuntimeError:
        library = torch.library.Library("torchvision", "FRAGMENT")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float threshold) -> Tensor")
        try:
            importlib.import_module("torchvision")
        except RuntimeError as error:
            pytest.skip(f"torchvision does not go with this PyTorch: {error}")
    return importlib.import_module("torchvision.transforms.v2.functional")
