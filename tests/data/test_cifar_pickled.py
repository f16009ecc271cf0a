"""Pickles read without unpickling: what belongs there comes out, and nothing is ever run."""

import os
import pickle
import struct
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigrad.data.cifar import pickled
from minigrad.data.cifar.pickled import read_pickled
from tests.data import python2

ARRAY = np.arange(24, dtype=np.uint8).reshape(4, 6)
BATCH = {
    "batch_label": "training batch 1 of 5",
    "labels": [6, 9, 255, 1000, -1, 2**31 - 1],
    "data": ARRAY,
    "filenames": ["leptodactylus_pentadactylus_s_000004.png", "x" * 300],
    "none": None,
    "nested": {"t": ((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, True))},
}


def as_python2_means(value):
    """Return what unpickling gives, with bytes for the strings of Python 2."""
    return pickle.loads(value, encoding="bytes")


def test_what_python_2_wrote_comes_out_as_unpickling_gives_it():
    written = python2.dumps(BATCH)
    expected = {key.decode(): value for key, value in as_python2_means(written).items()}
    found = read_pickled(written, "batch")
    np.testing.assert_array_equal(found.pop("data"), expected.pop("data"))
    expected["nested"] = {"t": expected["nested"][b"t"]}
    assert found == expected
    assert found["batch_label"] == b"training batch 1 of 5"


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(0,), (7,), (3, 5), (2, 3, 4)])
def test_arrays_keep_shape_and_order(shape, order):
    array = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape, order=order)
    for written in (python2.dumps({"data": array}), pickle.dumps({"data": array}, 3)):
        found = read_pickled(written, "batch")["data"]
        np.testing.assert_array_equal(found, array)
        assert not found.flags.writeable


@pytest.mark.parametrize("protocol", [3, 4])
def test_what_python_3_writes_is_understood(protocol):
    value = {"data": ARRAY, "again": ARRAY, "labels": [1, 2**40, -3], "name": "ü", "raw": b"\xff"}
    found = read_pickled(pickle.dumps(value, protocol), "batch")
    np.testing.assert_array_equal(found.pop("data"), value.pop("data"))
    np.testing.assert_array_equal(found.pop("again"), value.pop("again"))
    assert found == value


def test_one_array_twice_is_one_array():
    found = read_pickled(pickle.dumps({"one": ARRAY, "two": ARRAY}, 3), "batch")
    assert found["one"] is found["two"]


class Evil:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_nothing_is_run(protocol, tmp_path):
    mark = tmp_path / "was-here"
    for function, *arguments in (
        (os.system, f"touch {mark}"), (os.mkdir, str(mark)), (eval, f"open({str(mark)!r}, 'w')"),
        (exec, f"open({str(mark)!r}, 'w')"), (__import__, "antigravity"), (np.save, str(mark), 1),
    ):  # fmt: skip
        written = pickle.dumps({"labels": Evil(function, *arguments)}, protocol)
        with pytest.raises(
            ValueError, match=r"'bad' is refused at the instruction (STACK_)?GLOBAL"
        ):
            read_pickled(written, "bad")
    assert not mark.exists()


def test_the_sentence_names_file_instruction_and_position():
    written = b"\x80\x02}q\x00U\x01xcos\nsystem\nU\x02ls\x85Rs."
    with pytest.raises(ValueError, match="read_pickled: 'f' is refused at the instruction GLOBAL"):
        read_pickled(written, "f")
    with pytest.raises(ValueError, match=f"at position {written.index(b'cos')}: it names 'os syst"):
        read_pickled(written, "f")


NUMPY = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n"
MOST = b"J\xff\xff\xff\x7f"
KIND = b"cnumpy\ndtype\n(U\x02u1K\x00K\x01tR"


def built(state):
    """Return an array begun rightly, with a state of its own."""
    return b"\x80\x02" + NUMPY + b"K\x00\x85U\x01b\x87R" + state + b"b."


HOSTILE = {
    "numpy called with others": b"\x80\x02" + NUMPY + b"K\x09\x85U\x01b\x87R.",
    "the array type called": b"\x80\x02cnumpy\nndarray\nK\x09\x85\x85R.",
    "a type of objects": b"\x80\x02cnumpy\ndtype\n(U\x01OK\x00K\x01tR.",
    "a type of fields": b"\x80\x02cnumpy\ndtype\n]\x85R.",
    "a string called": b"\x80\x02U\x01a)R.",
    "a list built": b"\x80\x02])b.",
    "an instance": b"\x80\x02(ios\nsystem\n.",
    "an object": b"\x80\x02(cos\nsystem\nU\x02lso.",
    "a new object": b"\x80\x02cnumpy\nndarray\n)\x81.",
    "an extension": b"\x80\x02\x82\x01.",
    "a persistent one": b"\x80\x02U\x01aQ.",
    "another name of numpy": b"\x80\x02cnumpy.core.multiarray\nscalar\n.",
    "a name by a memo": b"\x80\x04\x8c\x02os\x8c\x06system\x93.",
    "a name that is no text": b"\x80\x04]]\x93.",
    "too few elements": built(b"(K\x01K\x09\x85" + KIND + b"\x89U\x03abct"),
    "too many elements": built(b"(K\x01K\x02\x85" + KIND + b"\x89U\x03abct"),
    "an absurd shape": built(b"(K\x01" + MOST + MOST + b"\x86" + KIND + b"\x89U\x00t"),
    "a hidden absurd shape": built(b"(K\x01" + MOST + b"K\x00\x86" + KIND + b"\x89U\x03abct"),
    "a negative shape": built(b"(K\x01J\xff\xff\xff\xff\x85" + KIND + b"\x89U\x00t"),
    "many axes": built(b"(K\x01(" + b"K\x01" * 40 + b"t" + KIND + b"\x89U\x01at"),
    "a list of elements": built(b"(K\x01K\x00\x85" + KIND + b"\x89]t"),
    "no element type": built(b"(K\x01K\x01\x85N\x89U\x01at"),
    "a state of two": built(b"K\x01K\x01\x86"),
    "no state": built(b"N"),
    "an empty stack": b"\x80\x02.",
    "two things": b"\x80\x02}}.",
    "a list": b"\x80\x02].",
    "only a mark": b"\x80\x02(.",
    "no mark": b"\x80\x02}K\x01K\x02u.",
    "half a pair": b"\x80\x02}(K\x01u.",
    "a mark between": b"\x80\x02}K\x01(s.",
    "a number as key": b"\x80\x02}K\x01K\x01s.",
    "a deep key": b"\x80\x02}" + b")" + b"\x85" * 99_999 + b"Ns.",
    "an empty memo": b"\x80\x02h\x09.",
    "a far memo": b"\x80\x02j\xff\xff\xff\xff.",
    "a new protocol": b"\x80\x05}.",
    "an unknown instruction": b"\x80\x02\xff.",
    "nothing": b"",
    "no pickle": b"GIF89a and so on",
    "no end": b"\x80\x02}",
    "a huge length": b"\x80\x02T\xff\xff\xff\x7fabc.",
    "a negative length": b"\x80\x02T\xff\xff\xff\xffabc.",
    "a length of 2**63": b"\x80\x04\x8e" + struct.pack("<Q", 2**63 - 1) + b"a.",
    "a huge frame": b"\x80\x04\x95" + struct.pack("<Q", 2**62) + b"].",
    "a huge number": b"\x80\x02\x8a\xff" + b"\x7f" * 255 + b".",
    "a number as text": b"\x80\x02I" + b"9" * 100_000 + b"\n.",
    "a float": b"\x80\x02G" + b"\0" * 8 + b".",
    "a set": b"\x80\x04\x8f.",
}  # fmt: skip


WHY = {
    "numpy called with others": "REDUCE at position 60: it calls something, and not as NumPy wri",
    "the array type called": "it calls something",
    "a type of objects": "it calls something",
    "a type of fields": "it calls something",
    "an instance": "INST at position 3: it has no place",
    "another name of numpy": "it names 'numpy.core.multiarray scalar'",
    "too few elements": r"an array of shape \(9,\) takes 9 bytes, but has 3",
    "too many elements": r"an array of shape \(2,\) takes 2 bytes, but has 3",
    "an absurd shape": "takes 4,611,686,014,132,420,609 bytes, but has 0",
    "a negative shape": "the shape of an array is not a few whole numbers",
    "many axes": "the shape of an array is not a few whole numbers",
    "no element type": "the elements of an array are not bytes",
    "a number as key": "the key of a dict is of type int",
    "a deep key": "the key of a dict is of type tuple",
    "a far memo": "there is nothing at place 4294967295 of the memo",
    "a new protocol": "protocol 5 is newer than 4",
}


@pytest.mark.parametrize("name", WHY)
def test_the_sentence_says_why(name):
    with pytest.raises(ValueError, match=WHY[name]):
        read_pickled(HOSTILE[name], "bad")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_pickle_is_refused_at_once(name):
    begun = time.perf_counter()
    with pytest.raises(ValueError, match=r"^read_pickled: 'bad' (is refused|is damaged|holds)"):
        read_pickled(HOSTILE[name], "bad")
    assert time.perf_counter() - begun < 5  # and not after gigabytes


def test_deep_nesting_and_shared_lists_cost_nothing():
    deep = b"\x80\x02}U\x01x" + b"(" * 200_000 + b"l" * 0 + b"K\x01" + b"t" * 200_000 + b"s."
    assert list(read_pickled(deep, "deep")) == ["x"]
    doubling = b"\x80\x02}U\x01x]q\x01"  # each list holds the one before twice: 2**200 in all
    for place in range(1, 200):
        doubling += b"](h" + bytes([place]) + b"h" + bytes([place]) + b"eq" + bytes([place + 1])
    # a list of lists lies on the stack for each; only the last belongs to the dict
    doubling = doubling.replace(b"U\x01x]q\x01", b"]q\x01", 1) + b"."
    with pytest.raises(ValueError, match="holds 201 things, but one dict was needed"):
        read_pickled(doubling, "doubling")


def test_a_long_key_is_not_decoded_again_and_again():
    """A string in the memo costs two bytes each time; as a key, in dicts of their own, itself."""
    long = b"\x80\x02(T" + (10**7).to_bytes(4, "little") + b"x" * 10**7 + b"q\x00"
    with pytest.raises(ValueError, match="SETITEM .* the key of a dict has 10,000,000 letters"):
        read_pickled(long + b"}h\x00Ns" * 200 + b"t.", "many")


def test_a_list_within_itself_is_no_danger():
    assert list(read_pickled(b"\x80\x02}U\x01x]q\x01h\x01as.", "ring")) == ["x"]


def test_the_number_of_instructions_is_bounded(monkeypatch):
    monkeypatch.setattr(pickled, "MOST_INSTRUCTIONS", 1000)
    with pytest.raises(ValueError, match="EMPTY_LIST at position 1001: it has more than 1,000"):
        read_pickled(b"\x80\x02" + b"]" * 5000 + b".", "many")


WRITTEN = [python2.dumps(BATCH), pickle.dumps(BATCH, 3), pickle.dumps(BATCH, 4)]


@pytest.mark.parametrize("number", range(len(WRITTEN)))
def test_cut_short_anywhere_it_is_refused(number):
    for end in range(len(WRITTEN[number])):
        with pytest.raises(ValueError, match="^read_pickled: 'cut' "):
            read_pickled(WRITTEN[number][:end], "cut")


def refused_or_a_dict(written):
    try:
        found = read_pickled(written, "some")
    except ValueError:
        with pytest.raises(ValueError, match="^read_pickled: 'some' "):
            read_pickled(written, "some")
    else:
        assert isinstance(found, dict)


@settings(deadline=None)
@given(
    written=st.sampled_from(WRITTEN),
    changes=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=6),
)
def test_damaged_anywhere_it_is_refused_or_a_dict(written, changes):
    damaged = bytearray(written)
    for place, value in changes:
        damaged[place % len(damaged)] = value
    refused_or_a_dict(bytes(damaged))


OPCODES = st.sampled_from(
    [b"}", b"]", b")", b"(", b"t", b"\x85", b"\x86", b"\x87", b"s", b"u", b"a", b"e", b"R", b"b",
     b"K\x01", b"U\x01b", b"q\x00", b"h\x00", b"N", b"\x89", b"cnumpy\ndtype\n", KIND, NUMPY,
     b"\x94", b"\x93", b"X\x01\0\0\0a", built(b"(K\x01K\x03\x85" + KIND + b"\x89U\x03abct")[2:-1]]
)  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(st.lists(OPCODES, max_size=20))
def test_any_row_of_instructions_is_refused_or_a_dict(row):
    refused_or_a_dict(b"\x80\x02" + b"".join(row) + b".")
