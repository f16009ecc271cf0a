"""Mean and standard deviation of a dataset's channels, in one walk over it."""

from typing import NamedTuple

import numpy as np

from minigrad.data.datasets import Dataset
from minigrad.data.transforms import Transform

__all__ = ["ChannelStatistics", "channel_statistics"]


class ChannelStatistics(NamedTuple):
    """What `Normalize` takes: ``Normalize(*channel_statistics(dataset))``."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


def channel_statistics(
    dataset: Dataset,
    transform: Transform | None = None,
    sample: int | None = None,
    seed: int = 0,
    on_error: str = "raise",
) -> ChannelStatistics:
    """Return the mean and the standard deviation of each channel, over all pixels of all images.

    Images of bytes count on the scale 0 … 1. Every pixel counts the same, so a larger image counts
    more than a small one: give a transform that brings them to one size.

    Parameters
    ----------
    dataset
        Images (C, H, W), all of one C.
    transform
        Applied to each image first, such as the resizing and cropping before `Normalize`. If it
        draws random numbers, it gets a generator for each image, made from `seed`.
    sample
        Only so many images, drawn at random without repetition; all, if there are fewer.
    seed
        Of the sample and of the transform.
    on_error
        What to do about an image that cannot be read or transformed: "raise", or "skip" to leave
        it out, as a `DataLoader` does that reads the same images.

    Returns
    -------
    statistics : ChannelStatistics
        Two tuples of C numbers. The standard deviation is that of these pixels, not an estimate
        for others.

    Raises
    ------
    ValueError
        When there are no images, or they differ in their number of channels. Further, what the
        dataset and the transform raise.

    Source
    ------
    Chan, Golub and LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing Sample
    Variances" (1979): the means and the sums of squared deviations of two parts give those of the
    whole, without the cancellation of E[x²] − E[x]².

    Examples
    --------
    >>> from minigrad.data import FashionMNIST
    >>> mean, std = channel_statistics(FashionMNIST(train=True), sample=1000)
    >>> abs(mean[0] - 0.286) < 0.01, abs(std[0] - 0.353) < 0.01
    (True, True)
    """
    if on_error not in ("raise", "skip"):
        raise ValueError(
            f'channel_statistics: on_error must be "raise" or "skip", but is {on_error!r}'
        )
    count = left_out = 0
    mean = squares = np.zeros(1)  # of the pixels so far: the mean, and Σ (x − mean)²
    for index in _chosen(len(dataset), sample, seed):
        try:
            image = dataset[index][0]
            if transform is not None:
                image = transform(image, np.random.default_rng([seed, index]))
        except Exception as error:
            if on_error == "raise" or isinstance(error, MemoryError):
                raise
            left_out += 1
            continue
        if image.size == 0:
            continue
        if count and len(image) != len(mean):
            raise ValueError(
                f"channel_statistics: image {index} has {len(image)} channels (shape "
                f"{image.shape}), but those before it have {len(mean)}"
            )
        pixels = image.reshape(len(image), -1).astype(np.float64)
        if image.dtype == np.uint8:
            pixels /= 255
        more, its_mean = pixels.shape[1], pixels.mean(axis=1)
        pixels -= its_mean[:, np.newaxis]
        apart = its_mean - mean
        squares = squares + (pixels**2).sum(axis=1) + apart**2 * (count * more / (count + more))
        mean = mean + apart * (more / (count + more))
        count += more
    if count == 0:
        none = (
            f"none of {left_out} images could be read"
            if left_out
            else "the dataset holds no pixels"
        )
        raise ValueError(f"channel_statistics: {none}")
    return ChannelStatistics(tuple(mean.tolist()), tuple(np.sqrt(squares / count).tolist()))


def _chosen(size: int, sample: int | None, seed: int) -> list[int]:
    """Return the indices to look at, in rising order, in which datasets are read fastest."""
    if sample is not None and (type(sample) is not int or sample < 1):
        raise ValueError(f"channel_statistics: sample must be 1 or more, but is {sample!r}")
    if sample is None or sample >= size:
        return list(range(size))
    return np.sort(np.random.default_rng(seed).choice(size, sample, replace=False)).tolist()
