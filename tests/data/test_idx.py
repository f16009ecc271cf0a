import gzip
import math

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from minigrad.data.idx import MOST_AXES, read_idx, write_idx

NAME = "suspect-file.gz"

elements = st.sampled_from(["u1", "i1", ">i2", "<i2", ">i4", "<i4", ">f4", "<f4", ">f8", "<f8"])
any_array = elements.flatmap(
    lambda dtype: arrays.arrays(
        dtype, arrays.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=5)
    )
)


@pytest.fixture(scope="session")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("idx") / NAME


def idx_bytes(code, shape, payload, axes=None):
    header = bytes([0, 0, code, len(shape) if axes is None else axes])
    return header + np.array(shape, ">u4").tobytes() + payload


def refusal(path, **limits):
    """The sentence of the ValueError with which `read_idx` refuses the file."""
    with pytest.raises(ValueError, match=NAME) as caught:
        read_idx(path, **limits)
    assert str(caught.value).startswith("read_idx: ")
    return str(caught.value)


@settings(deadline=None)
@given(array=any_array)
def test_what_is_written_is_read_back_bit_for_bit(array, path):
    write_idx(path, array)
    back = read_idx(path)
    assert back.shape == array.shape
    assert back.dtype == array.dtype.newbyteorder("=")
    assert back.tobytes() == array.astype(back.dtype).tobytes()
    assert back.flags.writeable


def test_the_bytes_are_those_of_the_format(path):
    write_idx(path, np.array([[1, -2], [3, 256]], np.int16))
    assert gzip.decompress(path.read_bytes()) == bytes.fromhex(
        "00000b02 00000002 00000002 0001 fffe 0003 0100"
    )


def test_the_same_array_gives_the_same_bytes_under_any_name(path):
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    write_idx(path, array)
    other = path.with_name("other.gz")
    write_idx(other, np.asfortranarray(array).astype(">f4"))
    assert path.read_bytes() == other.read_bytes()
    assert path.read_bytes()[4:8] == b"\0\0\0\0"  # the time in the gzip header


@settings(deadline=None)
@given(array=any_array, data=st.data())
def test_a_damaged_file_is_refused_or_read_whole(array, data, path):
    write_idx(path, array)
    raw = bytearray(path.read_bytes())
    start = data.draw(st.integers(0, len(raw)), label="start")
    stop = data.draw(st.integers(start, min(start + 8, len(raw))), label="stop")
    raw[start:stop] = data.draw(st.binary(max_size=8), label="replacement")
    path.write_bytes(raw)
    read_or_refused(path)


@settings(deadline=None)
@given(content=st.binary(max_size=64))
@example(content=b"")
@example(content=b"\0\0\x08\x01")
@example(content=idx_bytes(0x08, (0, 2**32 - 1, 2**32 - 1), b""))
@example(content=idx_bytes(0x0E, (2**32 - 1,) * MOST_AXES, b""))
@example(content=idx_bytes(0x08, (1,) * 255, b"1"))
def test_any_content_in_good_gzip_is_refused_or_read_whole(content, path):
    path.write_bytes(gzip.compress(content))
    read_or_refused(path)


@settings(deadline=None)
@given(content=st.binary(max_size=64))
def test_any_bytes_at_all_are_refused_or_read_whole(content, path):
    path.write_bytes(content)
    read_or_refused(path)


def read_or_refused(path):
    """Damage may miss what matters; but then the array must be all that the file holds."""
    try:
        array = read_idx(path, max_bytes=10_000)
    except ValueError:
        refusal(path, max_bytes=10_000)
    else:
        content = gzip.decompress(path.read_bytes())
        assert len(content) == 4 + 4 * array.ndim + array.nbytes


@pytest.mark.parametrize("cut", range(1, 40))
def test_every_cut_is_noticed(cut, path):
    write_idx(path, np.arange(5, dtype=np.uint8))
    whole = path.read_bytes()
    path.write_bytes(whole[: max(len(whole) - cut, 0)])
    refusal(path)


def test_a_flipped_bit_in_the_checksum_is_noticed(path):
    write_idx(path, np.arange(5, dtype=np.uint8))
    raw = bytearray(path.read_bytes())
    raw[-8] ^= 1
    path.write_bytes(raw)
    assert "not a whole gzip file" in refusal(path)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (idx_bytes(0x08, (3,), b"12"), "3 bytes were needed, 2 were left"),
        (idx_bytes(0x0C, (3,), b"12"), "12 bytes were needed, 2 were left"),
        (idx_bytes(0x08, (3,), b"1234"), "goes on after the 3 bytes"),
        (idx_bytes(0x08, (2, 2), b"1234", axes=4), "16 bytes were needed, 12 were left"),
        (idx_bytes(0x0A, (3,), b"123"), "starts with the bytes 00 00 0a 01"),
        (b"\1\0" + idx_bytes(0x08, (3,), b"123")[2:], "starts with the bytes 01 00 08 01"),
        (idx_bytes(0x08, (), b"1"), "a number of axes from 1 to 32"),
        (idx_bytes(0x08, (0, 2**32 - 1), b""), "more than the 1,073,741,824 bytes"),
    ],
)
def test_the_refusal_tells_what_is_wrong(content, complaint, path):
    path.write_bytes(gzip.compress(content))
    assert complaint in refusal(path)


def test_the_limit_is_the_last_size_accepted(path):
    write_idx(path, np.zeros((10, 10), np.float64))
    assert read_idx(path, max_bytes=800).shape == (10, 10)
    assert "more than the 799 bytes that max_bytes allows" in refusal(path, max_bytes=799)


def test_a_small_file_that_unpacks_to_a_huge_one_is_not_unpacked(path, monkeypatch):
    path.write_bytes(gzip.compress(idx_bytes(0x08, (4,), b"1234") + bytes(2**24)))
    unpacked = []
    read = gzip.GzipFile.read

    def count(file, size):
        unpacked.append(size)
        return read(file, size)

    monkeypatch.setattr(gzip.GzipFile, "read", count)
    assert "goes on" in refusal(path)
    assert sum(unpacked) < 100


def test_a_missing_file_is_reported_as_missing(path):
    with pytest.raises(FileNotFoundError):
        read_idx(path.with_name("nowhere.gz"))


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((), np.uint8),
        np.zeros((1,) * (MOST_AXES + 1), np.uint8),
        np.zeros(3, np.int64),
        np.zeros(3, bool),
        np.array(["text"]),
    ],
    ids=lambda array: f"{array.dtype}-{array.ndim}d",
)
def test_what_the_format_cannot_hold_is_refused(array, path):
    with pytest.raises(ValueError, match="write_idx: array has shape"):
        write_idx(path, array)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    target = tmp_path / "labels.gz"
    write_idx(target, np.array([1, 2], np.uint8))

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(gzip.GzipFile, "write", fail)
    with pytest.raises(OSError, match="disk full"):
        write_idx(target, np.array([3, 4], np.uint8))
    monkeypatch.undo()
    assert read_idx(target).tolist() == [1, 2]
    assert list(tmp_path.iterdir()) == [target]


def test_a_reader_of_the_old_file_keeps_the_old_file(tmp_path):
    target = tmp_path / "labels.gz"
    write_idx(target, np.array([1, 2], np.uint8))
    old = target.read_bytes()
    with target.open("rb") as reader:
        write_idx(target, np.array([3, 4, 5], np.uint8))
        assert reader.read() == old
    assert read_idx(target).tolist() == [3, 4, 5]


def test_the_helper_of_these_tests_builds_good_files(path):
    shape = (2, 3)
    path.write_bytes(gzip.compress(idx_bytes(0x08, shape, bytes(range(math.prod(shape))))))
    assert read_idx(path).tolist() == [[0, 1, 2], [3, 4, 5]]
