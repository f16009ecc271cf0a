"""The precisions in which both sides compute, and what each library calls them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import minigrad
from benchmarks.peers import torch


class Precision(NamedTuple):
    """
    Attributes
    ----------
    name : str
        On the command line.
    title : str
    dtype : str
        What images are kept in. Weights and sums are float32 in any case.
    tf32 : bool
        Whether products of float32 may round their factors to 10 bits, for the tensor cores.
    """

    name: str
    title: str
    dtype: str
    tf32: bool = False

    @property
    def is_mixed(self) -> bool:
        """Whether images have 16 bits, and weights 32."""
        return self.dtype != "float32"

    @property
    def needs_scaling(self) -> bool:
        """Whether losses are scaled, so that gradients do not vanish."""
        return self.dtype == "float16"

    @property
    def torch_dtype(self) -> Any:
        """PyTorch's name of the dtype."""
        return getattr(torch, self.dtype)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Let both libraries compute so, and cuDNN choose its algorithms by trial."""
        _allow_tf32(self.tf32)
        try:
            yield
        finally:
            _allow_tf32(False)


PRECISIONS = {
    p.name: p
    for p in (
        Precision("float32", "float32, TF32 off", "float32"),
        Precision("tf32", "float32, TF32 on", "float32", tf32=True),
        Precision("float16", "mixed precision, float16", "float16"),
        Precision("bfloat16", "mixed precision, bfloat16", "bfloat16"),
    )
}


def chosen(names: tuple[str, ...]) -> list[Precision]:
    """Return the precisions of these names; all if none is given."""
    return [PRECISIONS[name] for name in names or PRECISIONS]


def _allow_tf32(allowed: bool) -> None:
    minigrad.allow_tf32(allowed)
    if torch:
        torch.backends.cuda.matmul.allow_tf32 = allowed
        # Not its attributes, which PyTorch's own test cases lock for the whole process.
        torch.backends.cudnn.set_flags(_benchmark=True, _allow_tf32=allowed)
