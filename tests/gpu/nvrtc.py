"""NVIDIA's own compiler, without a GPU: does every kernel compile, and what does it take?

NVRTC is the library that CuPy compiles with. It comes by pip (``nvidia-cuda-nvrtc-cu12``, in the
extra "judges") and needs no driver.
"""

import ctypes
import re
from functools import cache
from importlib import resources
from typing import NamedTuple

TARGETS = ("sm_75", "sm_80", "sm_90")  # Turing, Ampere, Hopper


class Usage(NamedTuple):
    """What one kernel takes on one target."""

    registers: int
    spilled: int  # bytes
    stack: int  # bytes


@cache
def library() -> ctypes.CDLL | None:
    """Load NVRTC, if it is installed."""
    try:
        folder = resources.files("nvidia.cuda_nvrtc") / "lib"
    except ModuleNotFoundError:
        return None
    for path in folder.iterdir():
        if re.fullmatch(r"libnvrtc\.so\.\d+", path.name):
            return ctypes.CDLL(str(path))
    return None


def compiled(code: str, real: str, target: str) -> dict[str, Usage]:
    """Compile a source for a target. Returns what each kernel takes, by name.

    Raises
    ------
    SyntaxError
        With the compiler's log, if it does not compile.
    """
    nvrtc = library()
    program = ctypes.c_void_p()
    assert nvrtc is not None
    made = nvrtc.nvrtcCreateProgram(
        ctypes.byref(program), code.encode(), b"kernels.cu", 0, None, None
    )
    assert made == 0, made
    sums = "double" if real == "double" else "float"
    options = [f"-DReal={real}", f"-DSum={sums}", "--std=c++17", f"--gpu-architecture={target}",
               "--ptxas-options=-v"]  # fmt: skip
    given = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
    failed = nvrtc.nvrtcCompileProgram(program, len(options), given)
    size = ctypes.c_size_t()
    nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetProgramLog(program, log)
    nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
    text = log.value.decode()
    if failed or "warning" in text:
        raise SyntaxError(text)
    return _usage(text)


def _usage(log: str) -> dict[str, Usage]:
    found = {}
    for part in log.split("Compiling entry function ")[1:]:
        name = re.match(r"'(\w+)'", part)
        stack, stored = re.search(
            r"(\d+) bytes stack frame, (\d+) bytes spill stores", part
        ).groups()
        registers = re.search(r"Used (\d+) registers", part)[1]
        found[name[1]] = Usage(int(registers), int(stored), int(stack))
    return found
