"""CIFAR as published: four archives, the files in them, and where they are looked for.

Lengths and SHA-256 of the archives are those that several programs that fetch them agree on; so are
the SHA-256 of the binary files. Of the Python files, MD5 sums are what was published (beside the
archives' own: c32a1d4a…, c58f3010…, 03b5dce0… and eb9058c3…): they tell a damaged file, and would
not stop somebody who forges one. That is no matter here, since nothing in these files is run.
"""

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from minigrad.data.cache import cache_folder
from minigrad.data.cifar.archive import first_name

if TYPE_CHECKING:
    from minigrad.data.download import Progress

__all__ = ["LAYOUTS", "VARIABLE", "Layout", "check_file", "find", "locate"]

VARIABLE = "MINIGRAD_CIFAR"
ADDRESSES = ("https://www.cs.toronto.edu/~kriz/", "https://cave.cs.toronto.edu/kriz/")


class Layout(NamedTuple):
    """One way in which a dataset was published.

    Attributes
    ----------
    folder, training, test
        The folder in the archive, and the checksums of its files by their names.
    archive, size, sha256
        The name of the archive, its length in bytes and its checksum.
    binary
        Whether its files are records of bytes; otherwise they are pickles.
    """

    folder: str
    training: dict[str, str]
    test: dict[str, str]
    archive: str
    size: int
    sha256: str
    binary: bool


LAYOUTS = {
    "CIFAR10": (
        Layout(
            "cifar-10-batches-bin",
            {
                "data_batch_1.bin": (
                    "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"
                ),
                "data_batch_2.bin": (
                    "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"
                ),
                "data_batch_3.bin": (
                    "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"
                ),
                "data_batch_4.bin": (
                    "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"
                ),
                "data_batch_5.bin": (
                    "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"
                ),
            },
            {"test_batch.bin": "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"},
            "cifar-10-binary.tar.gz",
            170_052_171,
            "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            True,
        ),
        Layout(
            "cifar-10-batches-py",
            {
                "data_batch_1": "c99cafc152244af753f735de768cd75f",
                "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
                "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
                "data_batch_4": "634d18415352ddfa80567beed471001a",
                "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
            },
            {"test_batch": "40351d587109b95175f43aff81a1287e"},
            "cifar-10-python.tar.gz",
            170_498_071,
            "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
            False,
        ),
    ),
    "CIFAR100": (
        Layout(
            "cifar-100-binary",
            {"train.bin": "f31298fc616915fa142368359df1c4ca2ae984d6915ca468b998a5ec6aeebf29"},
            {"test.bin": "d8b1e6b7b3bee4020055f0699b111f60b1af1e262aeb93a0b659061746f8224a"},
            "cifar-100-binary.tar.gz",
            168_513_733,
            "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
            True,
        ),
        Layout(
            "cifar-100-python",
            {"train": "16019d7e3df5f24257cddd939b257f8d"},
            {"test": "f0ef6b0ae62326f3e7ffdfab6717acfc"},
            "cifar-100-python.tar.gz",
            169_001_437,
            "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
            False,
        ),
    ),
}


def locate(name: str, root: Path) -> tuple[Layout, Path] | None:
    """Return how and where a dataset lies in a folder, or in an archive; None if it does not.

    Parameters
    ----------
    name
        A key of `LAYOUTS`.
    root
        An archive under any name; the folder out of one; or a folder with one of these in it, the
        unpacked rather than the archive, the binary rather than the Python one.

    Raises
    ------
    ValueError
        When `root` is a file, but no ``.tar.gz`` archive.
    """
    layouts = LAYOUTS[name]
    if root.is_file():
        first = first_name(root)
        return next(((layout, root) for layout in layouts if layout.folder == first), None)
    for inside in (True, False):
        for layout in layouts:
            folder = root / layout.folder if inside else root
            if any((folder / file).is_file() for file in (*layout.training, *layout.test)):
                return layout, folder
    for layout in layouts:
        if (root / layout.archive).is_file():
            return layout, root / layout.archive
    return None


def find(name: str, progress: "Progress | None" = None) -> Path:
    """Return the folder that a dataset lies in.

    Looked at in this order: the folder, or archive, that the environment variable
    ``MINIGRAD_CIFAR`` names; the cache, into which the binary archive is downloaded if it is
    nowhere.

    Raises
    ------
    FileNotFoundError
        When it is nowhere and cannot be downloaded. The sentence tells the ways to it.
    """
    if os.environ.get(VARIABLE):
        return Path(os.environ[VARIABLE])  # one without the files is refused when they are opened
    from minigrad.data.download import DownloadError, download  # http, ssl: 15 ms

    wanted = LAYOUTS[name][0]
    try:
        cache = cache_folder("cifar")
        if locate(name, cache) is None:
            addresses = [address + wanted.archive for address in ADDRESSES]
            download(addresses, cache / wanted.archive, wanted.size, wanted.sha256, progress)
    except (DownloadError, RuntimeError) as error:
        archives = " or ".join(layout.archive for layout in LAYOUTS[name])
        raise FileNotFoundError(
            f"{name}: the dataset is not on this machine. There are two ways to it: name {archives}"
            f", or the folder it unpacks to, as root or in the environment variable {VARIABLE}; or "
            f"have it downloaded, 170 megabytes, which was tried just now: {error}"
        ) from error
    return cache


def check_file(layout: Layout, place: Path, name: str, content: bytes) -> None:
    """Refuse a file that is not, byte for byte, the one published under this name."""
    needed = {**layout.training, **layout.test}[name]
    kind, algorithm = ("SHA-256", "sha256") if len(needed) == 64 else ("MD5", "md5")
    found = hashlib.new(algorithm, content, usedforsecurity=False).hexdigest()
    if found != needed:
        raise ValueError(
            f"{name} in {str(place)!r} is not the file that was published: it has {len(content):,} "
            f"bytes with the {kind} {found}, not {needed}"
        )
