"""torchvision as a judge, wherever it can be had."""

import importlib
import sys
from types import ModuleType

import pytest

_KEPT = []  # what is declared is forgotten with the object that declared it


def torchvision(part: str) -> ModuleType:
    """Import a part of torchvision, such as "models"; without it the test is skipped.

    A torchvision that was built for CUDA cannot load its compiled operations beside a PyTorch for
    the CPU alone. Nothing that is judged needs them, but the import asks for two of them by name.
    """
    torch = pytest.importorskip("torch")
    try:
        importlib.import_module("torchvision")
    except ImportError:
        pytest.skip("torchvision is not installed")
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        for name in [n for n in sys.modules if n.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "FRAGMENT")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor boxes, Tensor scores, float threshold) -> Tensor")
        _KEPT.append(library)
    return importlib.import_module(f"torchvision.{part}")
