"""A trained network in use: pictures in, probabilities out, the same for every command.

Kernels choose their way by the size of a batch, and ways differ in a number's last bits. So every
batch is filled up to one size: what comes out for a picture depends on that size, and neither on
the pictures beside it nor on how many there are.
"""

from collections.abc import Sequence

import numpy as np

import minigrad
from googlenet.model import Network, in_precision
from googlenet.recipes import PRECISIONS

BATCH = 32  # pictures that are computed at once, if nothing else is asked for


class Classifier:
    """A network that says what it sees.

    Parameters
    ----------
    net : Network
        Where it lies, it computes.
    precision : {"float32", "mixed", "mixed-bfloat16"}
        What images between layers are kept in.
    batch_size : int
        Of what is computed at once; smaller batches are filled up with zeros.
    """

    def __init__(self, net: Network, precision: str = "float32", batch_size: int = BATCH) -> None:
        if precision not in PRECISIONS:
            names = ", ".join(PRECISIONS)
            raise ValueError(f"precision must be one of {names}, got {precision!r}")
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        self.net, self.precision, self.batch_size = net.eval(), precision, batch_size
        self.device = next(net.parameters()).device

    def logits(self, images: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
        """Return what the main head gives for each picture.

        Parameters
        ----------
        images : sequence of arrays, or array (N, C, H, W)
            At most `batch_size`, as `Model.transform` returns it.

        Returns
        -------
        logits : array
            (N, classes), float32.
        """
        batch = np.zeros((self.batch_size, *images[0].shape), np.float32)
        for place, image in zip(batch[: len(images)], images, strict=True):
            place[...] = image
        with minigrad.no_grad():
            given = minigrad.tensor(batch, device=self.device)
            logits = self.net(in_precision(given, self.precision))
        return logits.astype("float32").cpu().numpy()[: len(images)]


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Return softmax along the last axis, in float64.

    Examples
    --------
    >>> probabilities(np.array([[0.0, 0.0]], np.float32))
    array([[0.5, 0.5]])
    """
    logits = logits.astype(np.float64)
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)
