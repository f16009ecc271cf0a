"""The pictures that lessons train on: the embedded clothes, as GoogLeNet takes them."""

import numpy as np

from minigrad.data import FashionMNIST

__all__ = ["clothes"]

MEAN, DEVIATION = 0.286, 0.353  # of the training pictures' pixels, black 0 and white 1


def clothes(train: bool = True) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Return 5,000 pictures of clothes to train on, or 1,000 to test with.

    Parameters
    ----------
    train : bool

    Returns
    -------
    images : float32 array (N, 1, 32, 32)
        28×28 pixels, and a border of background; with mean 0 and deviation 1, or nearly so.
    labels : integer array (N,)
    names : list of str
        Of the classes.

    Examples
    --------
    >>> images, labels, names = clothes(train=False)
    >>> images.shape, names[labels[9]]
    ((1000, 1, 32, 32), 'Ankle boot')
    """
    data = FashionMNIST(train=train)
    pixels = np.pad(data.images, ((0, 0), (0, 0), (2, 2), (2, 2)))
    names = [name.split("/")[0] for name in data.classes]
    return (pixels.astype(np.float32) / 255 - MEAN) / DEVIATION, data.labels, names
