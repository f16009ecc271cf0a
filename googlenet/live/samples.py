"""A few test pictures, and what a network that is being trained says of them."""

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

import minigrad
from googlenet.model import Network, in_precision
from minigrad import Tensor
from minigrad.data import Dataset, ImageError, Transform

MOST = 12
SIDE = 96  # pixels of a picture on the page, at most
ANSWERS = 3  # classes of each picture that are told


class Samples:
    """Test pictures of as many classes as there are, up to `MOST`.

    Parameters
    ----------
    dataset : Dataset
        Pictures (C, H, W) of uint8, and labels. One that cannot be read is passed over.
    transform : callable
        From such a picture to what the network takes.

    Attributes
    ----------
    pictures : list of dict
        "src", the picture as a PNG in a data URL, and "class", what it is.
    """

    def __init__(self, dataset: Dataset, transform: Transform) -> None:
        self.pictures: list[dict[str, Any]] = []
        images = []
        rng = np.random.default_rng(0)
        for i in choose(getattr(dataset, "labels", None), len(dataset)):
            try:
                image, label = dataset[i]
                images.append(transform(image, rng))
            except ImageError:
                continue
            self.pictures.append({"src": _url(image), "class": int(label)})
        self._images = np.stack(images) if images else None
        self._tensor: Tensor | None = None

    def answers(self, net: Network, precision: str = "float32") -> list[list[list[float]]]:
        """Ask a network, as it is now; it is left as it was.

        Returns
        -------
        list of list of [class, probability]
            For each picture, the most probable classes.
        """
        if self._images is None:
            return []
        if self._tensor is None:
            self._tensor = minigrad.tensor(self._images, device=next(net.parameters()).device)
        modules = [module for _, module in net.named_modules()]
        modes = [module.training for module in modules]
        try:
            net.eval()
            with minigrad.no_grad():
                logits = net(in_precision(self._tensor, precision)).cpu().numpy()
        finally:
            for module, mode in zip(modules, modes, strict=True):
                module.training = mode
        return [best(row) for row in logits.astype(np.float64)]


def best(logits: np.ndarray) -> list[list[float]]:
    """Return the most probable classes of one picture, and their probabilities.

    Examples
    --------
    >>> best(np.log([0.1, 0.6, 0.3]))
    [[1, 0.6], [2, 0.3], [0, 0.1]]
    """
    powers = np.exp(logits - logits.max())
    shares = powers / powers.sum()
    return [[int(k), round(float(shares[k]), 4)] for k in np.argsort(-shares)[:ANSWERS]]


def choose(labels: Sequence[int] | np.ndarray | None, count: int) -> list[int]:
    """Choose which pictures to show: the first of each class, then the second, …

    Parameters
    ----------
    labels : sequence of int or None
        If there are none, pictures from everywhere are chosen.
    count : int
        How many pictures there are.

    Examples
    --------
    >>> choose([0, 0, 0, 1, 2, 2], 6)
    [0, 3, 4, 1, 5, 2]
    >>> choose(None, 60)
    [0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55]
    """
    most = min(MOST, count)
    if labels is None:
        return [count * i // most for i in range(most)]
    labels = np.asarray(labels)
    place = np.zeros(len(labels), int)  # of each picture, how many of its class come before
    for label in np.unique(labels):
        members = labels == label
        place[members] = np.arange(members.sum())
    order = np.lexsort((labels, place))
    return [int(i) for i in order[:most]]


def _url(image: np.ndarray) -> str:
    """Write a picture (C, H, W) of bytes as a PNG, no larger than there is room for."""
    pixels = image[0] if len(image) == 1 else image.transpose(1, 2, 0)
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    picture.thumbnail((SIDE, SIDE))
    file = io.BytesIO()
    picture.save(file, "png")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
