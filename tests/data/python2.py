"""Write pickles as Python 2 did: protocol 2, strings of bytes, everything put into the memo.

So are the files of CIFAR's Python archives. Python 3 has no way to write this dialect.
"""

import struct

import numpy as np


class Writer:
    """Collects instructions; `made` holds them."""

    def __init__(self):
        self.made, self.places = bytearray(b"\x80\x02"), 0

    def memo(self):
        place, self.places = self.places, self.places + 1
        self.made += b"q" + bytes([place]) if place < 256 else b"r" + struct.pack("<I", place)

    def write(self, value):
        if isinstance(value, bool):
            self.made += b"\x88" if value else b"\x89"
        elif value is None:
            self.made += b"N"
        elif isinstance(value, int):
            self.integer(value)
        elif isinstance(value, str):
            self.string(value.encode("latin-1"))
            self.memo()
        elif isinstance(value, tuple):
            self.tuple(value)
        elif isinstance(value, list):
            self.list(value)
        elif isinstance(value, dict):
            self.dict(value)
        else:
            self.array(value)

    def integer(self, value):
        if 0 <= value < 2**8:
            self.made += b"K" + bytes([value])
        elif 0 <= value < 2**16:
            self.made += b"M" + struct.pack("<H", value)
        else:
            self.made += b"J" + struct.pack("<i", value)

    def string(self, value):
        short = len(value) < 256
        self.made += b"U" + bytes([len(value)]) if short else b"T" + struct.pack("<i", len(value))
        self.made += value

    def tuple(self, value):
        if len(value) > 3:
            self.made += b"("
        for item in value:
            self.write(item)
        self.made += {0: b")", 1: b"\x85", 2: b"\x86", 3: b"\x87"}.get(len(value), b"t")
        if value:
            self.memo()

    def list(self, value):
        self.made += b"]"
        self.memo()
        for start in range(0, len(value), 1000):
            self.made += b"("
            for item in value[start : start + 1000]:
                self.write(item)
            self.made += b"e"

    def dict(self, value):
        self.made += b"}"
        self.memo()
        self.made += b"("
        for key, item in value.items():
            self.write(key)
            self.write(item)
        self.made += b"u"

    def name(self, name):
        self.made += b"c" + name.replace(" ", "\n").encode() + b"\n"
        self.memo()

    def array(self, value, code="u1"):
        self.name("numpy.core.multiarray _reconstruct")
        self.name("numpy ndarray")
        for item in ((0,), "b"):
            self.write(item)
        self.made += b"\x87"
        self.memo()
        self.made += b"R"
        self.memo()
        self.made += b"(K\x01"
        self.write(value.shape)
        self.name("numpy dtype")
        for item in (code, 0, 1):
            self.write(item)
        self.made += b"\x87"
        self.memo()
        self.made += b"R"
        self.memo()
        self.write((3, "|", None, None, None, -1, -1, 0))
        self.made += b"b"
        fortran = value.flags.f_contiguous and not value.flags.c_contiguous
        self.write(fortran)
        self.string(value.tobytes("F" if fortran else "C"))
        self.memo()
        self.made += b"tb"
        self.memo()


def dumps(value, code="u1"):
    """Return the pickle of a value."""
    writer = Writer()
    if isinstance(value, np.ndarray):
        writer.array(value, code)
    else:
        writer.write(value)
    return bytes(writer.made) + b"."
