"""CIFAR in the formats of its archives, which these tests write small."""

import gzip
import hashlib
import io
import tarfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigrad.data import CIFAR10, CIFAR100, DataLoader, open_dataset
from minigrad.data.cifar import archive, published
from tests.data import python2
from tests.data.server import Server

RNG = np.random.default_rng(0)
EACH = 3  # pictures in a file
BOTH = pytest.mark.parametrize("kind", [CIFAR10, CIFAR100])


def content(layout, name, images, labels):
    """Return a file of one layout: `labels` are (N,) or, coarse and fine, (N, 2)."""
    columns = labels.reshape(len(labels), -1).T
    if layout.binary:
        return np.concatenate([columns.T.astype(np.uint8), images.reshape(len(images), -1)], 1)
    keys = ("labels",) if len(columns) == 1 else ("coarse_labels", "fine_labels")
    batch = {"batch_label": name, "data": images.reshape(len(images), -1)}
    batch |= {key: column.tolist() for key, column in zip(keys, columns, strict=True)}
    return np.frombuffer(python2.dumps(batch), np.uint8)


class Small:
    """A dataset of a few pictures a file, as each of its two archives holds it."""

    def __init__(self, kind, root):
        self.kind, self.root = kind, root
        self.layouts = published.LAYOUTS[kind.__name__]
        files = [*self.layouts[0].training, *self.layouts[0].test]
        self.images = RNG.integers(0, 256, (len(files) * EACH, 3, 32, 32), np.uint8)
        fine = RNG.integers(0, 10 if kind is CIFAR10 else 100, len(self.images))
        self.labels = fine if kind is CIFAR10 else np.stack([fine // 5, fine], 1)
        self.files = {layout.folder: {} for layout in self.layouts}
        for layout in self.layouts:
            for number, name in enumerate([*layout.training, *layout.test]):
                part = slice(number * EACH, (number + 1) * EACH)
                made = content(layout, name, self.images[part], self.labels[part])
                self.files[layout.folder][name] = made.tobytes()

    def folder(self, layout, above=None):
        folder = (above or self.root) / layout.folder
        folder.mkdir(parents=True)
        for name, written in self.files[layout.folder].items():
            (folder / name).write_bytes(written)
        return folder

    def archive(self, layout, name=None, prefix="", more=()):
        path = self.root / (name or layout.archive)
        path.parent.mkdir(parents=True, exist_ok=True)
        members = {f"{layout.folder}/{n}": w for n, w in self.files[layout.folder].items()}
        with tarfile.open(path, "w:gz", compresslevel=1) as tar:
            top = tarfile.TarInfo(prefix + layout.folder)
            top.type = tarfile.DIRTYPE
            tar.addfile(top)
            for each in more:
                tar.addfile(*each)
            for member, written in members.items():
                made = tarfile.TarInfo(prefix + member)
                made.size = len(written)
                tar.addfile(made, io.BytesIO(written))
        return path

    def is_in(self, root, **options):
        count = len(self.layouts[0].training) * EACH
        for train, part in ((True, slice(count)), (False, slice(count, None))):
            found = self.kind(train, root, **options)
            np.testing.assert_array_equal(found.images, self.images[part])
            labels = self.labels[part]
            np.testing.assert_array_equal(
                found.labels, labels if labels.ndim == 1 else labels[:, 1]
            )
            if self.kind is CIFAR100:
                np.testing.assert_array_equal(found.coarse_labels, labels[:, 0])
        return True


@pytest.fixture
def as_published(monkeypatch, tmp_path):
    """Let small files count as the published ones; nothing is anywhere else."""

    def known(kind):
        small = Small(kind, tmp_path / "source")
        layouts = []
        for layout in small.layouts:
            sums = {
                name: hashlib.new("sha256" if layout.binary else "md5", written).hexdigest()
                for name, written in small.files[layout.folder].items()
            }
            packed = small.archive(layout).read_bytes()
            layouts.append(
                layout._replace(
                    training={name: sums[name] for name in layout.training},
                    test={name: sums[name] for name in layout.test},
                    size=len(packed),
                    sha256=hashlib.sha256(packed).hexdigest(),
                )
            )
        monkeypatch.setitem(published.LAYOUTS, kind.__name__, tuple(layouts))
        return small

    monkeypatch.setattr(published, "ADDRESSES", ("http://127.0.0.1:1/",))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv(published.VARIABLE, raising=False)
    return known


@BOTH
@pytest.mark.parametrize("number", [0, 1], ids=["binary", "python"])
def test_folders_and_archives_hold_the_same(kind, number, tmp_path):
    small = Small(kind, tmp_path / "a")
    layout = small.layouts[number]
    assert small.is_in(small.archive(layout, "other-name.tgz"))
    assert small.is_in(small.archive(layout, "dotted.tgz", prefix="./"))
    small.archive(layout)
    assert small.is_in(small.root)  # a folder with the archive
    folder = small.folder(layout, tmp_path / "b")
    assert small.is_in(folder)
    assert small.is_in(folder.parent)
    assert small.is_in(str(folder))


def test_the_binary_records_are_label_red_green_blue(tmp_path):
    record = bytes([7]) + bytes([1] * 1024) + bytes([2] * 1024) + bytes(range(256)) * 4
    (tmp_path / "test_batch.bin").write_bytes(record * 2)
    dataset = CIFAR10(False, tmp_path)
    image, label = dataset[1]
    assert (label, dataset.classes[label]) == (7, "horse")
    assert (image[0] == 1).all()
    assert (image[1] == 2).all()
    assert image[2, 1, 3] == 35  # row by row
    assert repr(dataset) == "CIFAR10(2 images of shape (3, 32, 32), 10 classes)"
    assert dataset.describe(1) == f"image 1 of '{tmp_path}'"
    assert not dataset.images.flags.writeable


def test_cifar_100_has_coarse_labels_too(tmp_path):
    (tmp_path / "test.bin").write_bytes(bytes([18, 58]) + bytes(3072))
    fine, coarse = (CIFAR100(False, tmp_path, label_mode=mode) for mode in ("fine", "coarse"))
    assert (len(fine.classes), fine.classes[fine[0][1]]) == (100, "pickup_truck")
    assert (len(coarse.classes), coarse.classes[coarse[0][1]]) == (20, "vehicles_1")
    for wrong, said in (((20, 58), "coarse_labels .* 0 to 19.* to 20"), ((0, 100), "fine_labels")):
        (tmp_path / "test.bin").write_bytes(bytes(wrong) + bytes(3072))
        for mode in ("fine", "coarse"):
            with pytest.raises(ValueError, match=f"^CIFAR100: {said}"):
                CIFAR100(False, tmp_path, label_mode=mode)
    with pytest.raises(ValueError, match='label_mode must be "fine" or "coarse", but is \'both\''):
        CIFAR100(False, tmp_path, label_mode="both")


def test_published_files_are_known(as_published):
    small = as_published(CIFAR10)
    for layout in small.layouts:
        assert small.is_in(small.root / layout.archive, full=True)
        folder = small.folder(layout, small.root / "unpacked")
        assert small.is_in(folder, full=True)
        (folder / next(iter(layout.test))).write_bytes(b"x" * 3073)
        kind = "SHA-256" if layout.binary else "MD5"
        with pytest.raises(ValueError, match=f"is not the file that was published: .* the {kind} "):
            CIFAR10(False, folder, full=True)


def test_real_checksums_refuse_a_small_copy(tmp_path):
    small = Small(CIFAR100, tmp_path)
    with pytest.raises(ValueError, match=r"^CIFAR100: test.bin in .* is not the file that was pub"):
        CIFAR100(False, small.folder(small.layouts[0]), full=True)


def test_the_variable_comes_first_then_the_cache_then_a_download(
    as_published, monkeypatch, tmp_path
):
    small, server = as_published(CIFAR10), Server()
    try:
        binary = small.layouts[0].archive
        server.files = {f"/{binary}": (small.root / binary).read_bytes()}
        monkeypatch.setattr(published, "ADDRESSES", (server.url.removesuffix("file"),))
        told, cache = [], tmp_path / "cache" / "minigrad" / "cifar"
        opened = open_dataset("cifar10", progress=lambda *said: told.append(said))
        assert opened.training.root == cache
        assert (len(opened.training), len(opened.test)) == (5 * EACH, EACH)
        assert opened.description == f"CIFAR-10 in '{cache}', 15 training and 3 test pictures"
        assert len(server.asked) == 1
        assert told[-1] == (binary, *[len(server.files[f"/{binary}"])] * 2)
        monkeypatch.setenv(published.VARIABLE, str(small.root / small.layouts[1].archive))
        assert CIFAR10().root == small.root / small.layouts[1].archive
        assert open_dataset("cifar10", root=cache).test.root == cache
        assert len(server.asked) == 1
    finally:
        server.close()


def test_where_it_is_nowhere_the_sentence_tells_the_ways_to_it(as_published):
    as_published(CIFAR100)
    with pytest.raises(
        FileNotFoundError, match=r"cifar-100-binary.tar.gz or cifar-100-python.*cannot"
    ):
        CIFAR100()


def test_an_archive_in_the_cache_is_enough(as_published, tmp_path):
    small = as_published(CIFAR10)
    cache = tmp_path / "cache" / "minigrad" / "cifar"
    cache.mkdir(parents=True)
    (small.root / small.layouts[1].archive).rename(cache / small.layouts[1].archive)
    assert small.is_in(None)
    folder = small.folder(small.layouts[0], cache)  # what is unpacked comes before the archive
    assert small.is_in(None)
    test = folder / "test_batch.bin"
    test.write_bytes(test.read_bytes()[:-1] + b"x")
    with pytest.raises(
        ValueError, match=r"^CIFAR10: test_batch.bin in .* is not the file that was"
    ):
        CIFAR10(False)
    assert len(CIFAR10(False, folder)) == EACH  # a folder that is named may hold another


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({}, r"^CIFAR10: root must be cifar-10-binary.tar.gz or .* but '.*' is another"),
        ({"train.bin": b""}, "root must be"),  # of CIFAR-100
        ({"test_batch.bin": b"x" * 3072}, "3,072 bytes, which is no number of records of 3,073"),
        ({"test_batch.bin": b""}, "0 bytes, which is no number"),
        ({"data_batch_1.bin": b"x"}, "^CIFAR10: there is no file '.*test_batch.bin'"),
        ({"test_batch.bin": b"\x0a" * 3073}, "from 0 to 9, .* but go from 10 to 10"),
        ({"test_batch": b"cos\nsystem\n(U\x02lstR."}, "test_batch' is refused at .* GLOBAL"),
        ({"test_batch": b"\x80\x02}."}, r"has no array \(N, 3,072\) of bytes under 'data'"),
        (
            {"test_batch": python2.dumps({"data": np.zeros((2, 3072), np.uint8), "labels": [1]})},
            "has no list of 2 labels under 'labels'",
        ),
        (
            {"test_batch": python2.dumps({"data": np.zeros((1, 3072), np.uint8), "labels": ["1"]})},
            "has no list of 1 labels under 'labels'",
        ),
        ({"test_batch": python2.dumps({"data": np.zeros((3, 2), np.uint8)})}, "has no array"),
    ],
)
def test_a_folder_of_something_else_is_refused(files, complaint, tmp_path):
    for name, written in files.items():
        (tmp_path / name).write_bytes(written)
    with pytest.raises((FileNotFoundError, ValueError), match=complaint):
        CIFAR10(False, tmp_path)


def test_a_root_that_is_not_there_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none' does not exist"):
        CIFAR10(True, tmp_path / "none")
    (tmp_path / "text").write_text("not an archive")
    with pytest.raises(ValueError, match=r"^CIFAR10: '.*text' is no .tar.gz archive, or damaged"):
        CIFAR10(True, tmp_path / "text")
    small = Small(CIFAR100, tmp_path)
    with pytest.raises(FileNotFoundError, match="cifar-100-binary.tar.gz' is another"):
        CIFAR10(True, small.archive(small.layouts[0]))


def entry(name, data=b"", kind=tarfile.REGTYPE, link="", size=None):
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.size = kind, link, len(data) if size is None else size
    return made, io.BytesIO(data)


def test_nothing_in_an_archive_leads_anywhere(tmp_path):
    small = Small(CIFAR10, tmp_path / "archives")
    layout = small.layouts[0]
    outside = tmp_path / "outside"
    more = [
        entry("../../outside", b"x"), entry(str(outside), b"x"),
        entry(f"{layout.folder}/../../outside", b"x"),
        entry(f"{layout.folder}/test_batch.bin", kind=tarfile.SYMTYPE, link="/etc/passwd"),
        entry(f"{layout.folder}/test_batch.bin", kind=tarfile.LNKTYPE, link="data_batch_1.bin"),
        entry(f"{layout.folder}/test_batch.bin", kind=tarfile.FIFOTYPE),
    ]  # fmt: skip
    before = sorted(tmp_path.rglob("*"))
    path = small.archive(layout, more=more)
    assert small.is_in(path)
    assert sorted(tmp_path.rglob("*")) == sorted({*before, small.root, path})


def test_what_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MOST_BYTES", 200_000)
    small = Small(CIFAR10, tmp_path)
    layout = small.layouts[0]
    assert small.is_in(small.archive(layout))
    path = small.archive(layout, more=[entry("zeros", bytes(10**6))])
    assert path.stat().st_size < 200_000
    with pytest.raises(ValueError, match="unpacks to more than the 200,000 bytes"):
        CIFAR10(True, path)
    small.files[layout.folder]["test_batch.bin"] = bytes(300_000)
    with pytest.raises(ValueError, match=r"test_batch.bin has 300,000 bytes, more than"):
        CIFAR10(False, small.archive(layout))
    with pytest.raises(
        ValueError, match=r"has 300,000 bytes, more than the 200,000 that such a fil"
    ):
        CIFAR10(False, small.folder(layout))


def test_an_archive_that_lacks_a_file_says_which(tmp_path):
    small = Small(CIFAR10, tmp_path)
    del small.files[small.layouts[0].folder]["data_batch_4.bin"]
    with pytest.raises(FileNotFoundError, match=r"no file 'cifar-10-batches-bin/data_batch_4.bin'"):
        CIFAR10(True, small.archive(small.layouts[0]))


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    small = Small(CIFAR100, tmp_path_factory.mktemp("packed"))
    return small.archive(small.layouts[1]).read_bytes()


@settings(deadline=None, max_examples=60)
@given(end=st.integers(0, 10**6), inside=st.booleans())
def test_an_archive_cut_short_is_refused(packed, tmp_path_factory, end, inside):
    path = tmp_path_factory.mktemp("cut") / "cut.tgz"
    whole = gzip.decompress(packed) if inside else packed
    cut = whole[: end % (whole.rindex(b".") if inside else len(whole) // 2)]
    path.write_bytes(gzip.compress(cut, 1) if inside else cut)
    with pytest.raises((ValueError, FileNotFoundError), match="^CIFAR100: "):
        CIFAR100(False, path)


@settings(deadline=None, max_examples=100)
@given(changes=st.lists(st.tuples(st.integers(0, 1600), st.binary(max_size=9)), max_size=4))
def test_a_damaged_archive_is_refused_or_read(packed, tmp_path_factory, changes):
    path = tmp_path_factory.mktemp("damaged") / "damaged.tgz"
    damaged = bytearray(gzip.decompress(packed))  # changes hit the headers of the tar
    for place, some in changes:
        damaged[place : place + len(some)] = some
    path.write_bytes(gzip.compress(damaged, 1))
    try:
        dataset = CIFAR100(False, path)
    except (ValueError, FileNotFoundError):
        with pytest.raises((ValueError, FileNotFoundError), match="^CIFAR100: "):
            CIFAR100(False, path)
    else:
        assert len(dataset) == EACH


def headers(name, kind, data):
    """Return a block of a tar that says more of the file after it."""
    made, _ = entry(name, data, kind)
    return made.tobuf(tarfile.GNU_FORMAT) + data.ljust(-(-len(data) // 512) * 512, b"\0")


@pytest.mark.parametrize(
    "notes",
    [
        headers("long", tarfile.GNUTYPE_LONGNAME, b"a") * 3000,
        headers("pax", tarfile.XHDTYPE, b"22 GNU.sparse.map=a,b\n"),
        headers("pax", tarfile.XHDTYPE, b"22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n"),
    ],
    ids=["without end", "no numbers", "no map"],
)
def test_whatever_is_wrong_in_an_archive_its_name_is_said(notes, tmp_path):
    path = tmp_path / "odd.tgz"
    file = entry("cifar-100-python/test", bytes(600))[0].tobuf() + b"ab".ljust(1024, b"\0")
    path.write_bytes(gzip.compress(notes + file + bytes(1024), 1))
    with pytest.raises(ValueError, match=r"^CIFAR100: '.*odd.tgz' is no .tar.gz archive, or dam"):
        CIFAR100(False, path)


def test_it_is_loaded_in_colour(tmp_path):
    small = Small(CIFAR10, tmp_path)
    dataset = CIFAR10(True, small.folder(small.layouts[0]))
    images, labels = next(iter(DataLoader(dataset, batch_size=4)))
    assert (images.shape, labels.shape) == ((4, 3, 32, 32), (4,))
