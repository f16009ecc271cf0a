"""The full Fashion-MNIST: where its four files are looked for, and how they are known.

Debian's package holds the same arrays in files of other bytes (it leaves name and time out of the
gzip header), and a mirror may have packed them anew. So what is held against a checksum is the
arrays; a download is checked as a file, too, before it counts as one.
"""

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from minigrad.data.cache import cache_folder

if TYPE_CHECKING:
    from minigrad.data.download import Progress

__all__ = ["SYSTEM_FOLDER", "VARIABLE", "check_array", "file_names", "find"]

SYSTEM_FOLDER = Path("/usr/share/datasets/fashion-mnist")  # of Debian's dataset-fashion-mnist
VARIABLE = "MINIGRAD_FASHION_MNIST"
ADDRESSES = (
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
)


class File(NamedTuple):
    """A published file: its length and SHA-256, and the SHA-256 of the array in it, row by row."""

    size: int
    sha256: str
    array_sha256: str


# The authors give MD5 sums, 8d4fb7e6…, 25c81989…, bef4ecab… and bb300cfd…: these files have them.
FILES = {
    "train-images-idx3-ubyte.gz": File(
        26_421_880,
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012",
    ),
    "train-labels-idx1-ubyte.gz": File(
        29_515,
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7",
    ),
    "t10k-images-idx3-ubyte.gz": File(
        4_422_102,
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a",
    ),
    "t10k-labels-idx1-ubyte.gz": File(
        5_148,
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9",
    ),
}


def file_names(train: bool) -> tuple[str, str]:
    """Return the names of the file of images and of the file of labels."""
    split = "train" if train else "t10k"
    return f"{split}-images-idx3-ubyte.gz", f"{split}-labels-idx1-ubyte.gz"


def find(train: bool, progress: "Progress | None" = None) -> Path:
    """Return a folder with the two files of the training or of the test images.

    Looked at in this order: the system's package; the folder that the environment variable
    ``MINIGRAD_FASHION_MNIST`` names; the cache, into which the files are downloaded if they are
    nowhere.

    Raises
    ------
    FileNotFoundError
        When they are nowhere and cannot be downloaded. The sentence tells the three ways to them.
    """
    names = file_names(train)
    if all((SYSTEM_FOLDER / name).is_file() for name in names):
        return SYSTEM_FOLDER
    if os.environ.get(VARIABLE):
        return Path(os.environ[VARIABLE])  # one without the files is refused when they are opened
    from minigrad.data.download import DownloadError, download  # http, ssl: 15 ms

    try:
        cache = cache_folder("fashion-mnist")
        for name in names:
            addresses = [address + name for address in ADDRESSES]
            download(addresses, cache / name, FILES[name].size, FILES[name].sha256, progress)
    except (DownloadError, RuntimeError) as error:
        raise FileNotFoundError(
            "FashionMNIST: the full dataset is not on this machine. There are three ways to it: "
            "install Debian's package dataset-fashion-mnist; name a folder with its four gzip "
            f"files, as root or in the environment variable {VARIABLE}; or have it downloaded, 30 "
            f"megabytes, which was tried just now: {error}"
        ) from error
    return cache


def check_array(path: Path, array: np.ndarray) -> None:
    """Refuse an array that is not, byte for byte, the one published under this file name."""
    needed = FILES[path.name].array_sha256
    found = hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()
    if found != needed:
        raise ValueError(
            f"FashionMNIST: {str(path)!r} does not hold what Fashion-MNIST published: the array in "
            f"it, of shape {array.shape}, has the SHA-256 {found}, not {needed}"
        )
