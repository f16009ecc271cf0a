"""Samples become a batch, and a batch gets to where it is used: on the CPU, or on a GPU."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from minigrad.data.transforms import to_float
from minigrad.gpu.transfer import Place, Sent, Uploader
from minigrad.tensor import Tensor

__all__ = ["Batch", "collate"]

Sample = tuple[np.ndarray, int]
Batch = tuple[Tensor, Tensor]


def collate(samples: Sequence[Sample]) -> Batch:
    """Lay samples side by side in one batch.

    Parameters
    ----------
    samples
        N pairs of an image (C, H, W) and its label. All images must have one shape.

    Returns
    -------
    images : Tensor
        (N, C, H, W), float32, contiguous. Bytes are scaled to 0 … 1, as `to_float` does.
    labels : Tensor
        (N,), int64.

    Raises
    ------
    ValueError
        When the images differ in shape, or are neither uint8 nor floating point.
    """
    images = np.empty((len(samples), *_shape(samples)), np.float32)
    labels = np.empty(len(samples), np.int64)
    _fill(samples, images, labels)
    return Tensor(images), Tensor(labels)


def _shape(samples: Sequence[Sample]) -> tuple[int, ...]:
    """Return the one shape that all images have."""
    shapes = sorted({image.shape for image, _ in samples})
    if len(shapes) > 1:
        raise ValueError(
            f"collate: the images of a batch must have one shape, but have {len(shapes)}, among "
            f"them {shapes[0]} and {shapes[1]}; Resize((height, width)) gives them one"
        )
    return shapes[0]


def _fill(samples: Sequence[Sample], images: np.ndarray, labels: np.ndarray) -> None:
    """Write samples into the arrays of a batch."""
    for i, (image, label) in enumerate(samples):
        images[i], labels[i] = to_float(image), label


class Delivery(Protocol):
    """The way of the batches of one iteration.

    For each batch the consumer calls `reserve`, anybody `send`, and the consumer `receive`.
    """

    def reserve(self) -> Any:
        """Make room where the batch will be used."""

    def send(self, samples: Sequence[Sample], place: Any) -> Any:
        """Make a batch of samples, and send it on its way."""

    def receive(self, sent: Any) -> Batch:
        """Return the batch that was sent."""
        ...

    def held_up(self, sent: Any) -> bool:
        """Tell whether a batch could not be sent at once, for its consumer was too far behind."""
        ...

    def close(self) -> None:
        """Let go of what is still on its way."""


def delivery(device: str) -> Delivery:
    """Return the way to a device, by its full name."""
    return ToCpu() if device == "cpu" else ToGpu(int(device.split(":")[1]))


class ToCpu:
    """A batch is used where it is made."""

    def reserve(self) -> None:
        """Nothing is reserved."""

    def send(self, samples: Sequence[Sample], place: None) -> Batch:
        """Make the batch."""
        return collate(samples)

    def receive(self, sent: Batch) -> Batch:
        """Return it."""
        return sent

    def held_up(self, sent: Batch) -> bool:
        """Nothing is in its way."""
        return False

    def close(self) -> None:
        """Nothing is on its way."""


class ToGpu:
    """A batch is made in pinned memory and copied beside the kernels: `minigrad.gpu.transfer`."""

    def __init__(self, index: int) -> None:
        self._uploader = Uploader(index)

    def reserve(self) -> Place:
        """Make room on the GPU."""
        return self._uploader.reserve()

    def send(self, samples: Sequence[Sample], place: Place) -> tuple[Sent, np.ndarray]:
        """Make the batch and queue its copy."""
        count = len(samples)
        layout = [((count, *_shape(samples)), np.float32), ((count,), np.int64)]
        sent = self._uploader.send(layout, lambda arrays: _fill(samples, *arrays), place)
        return sent, np.array([label for _, label in samples], np.int64)

    def receive(self, sent: tuple[Sent, np.ndarray]) -> Batch:
        """Return the batch; kernels wait for it, the host does not."""
        images, labels = self._uploader.receive(sent[0])
        return Tensor(images), Labels(labels, sent[1])

    def held_up(self, sent: tuple[Sent, np.ndarray]) -> bool:
        """Tell whether pinned memory had to be waited for, which is to wait for the GPU."""
        return sent[0].held_up

    def close(self) -> None:
        """Wait for the copies still queued."""
        self._uploader.close()


class Labels(Tensor):
    """Labels on a GPU that know what they are.

    A loss must see that every label is a class. To ask a GPU is to wait for it, once for every head
    of every step, while it runs out of work; these bring the answer along. In return they must not
    be written to: what is written is not checked.

    Attributes
    ----------
    host : numpy.ndarray
        The same numbers, on the CPU.
    """

    __slots__ = ("host",)

    def __init__(self, data: Any, host: np.ndarray) -> None:
        super().__init__(data)
        self.host = host

    def __reduce__(self) -> Any:
        return Tensor, (self.data,)
