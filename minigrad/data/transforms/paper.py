"""The augmentation of the paper, put together from its parts."""

from minigrad.data.transforms.base import Recorded
from minigrad.data.transforms.colour import ColorJitter, RandomLighting
from minigrad.data.transforms.geometry import RandomHorizontalFlip, RandomResizedCrop

__all__ = ["paper_augmentation"]


def paper_augmentation(
    size: int | tuple[int, int], scale: tuple[float, float] = (0.08, 1.0)
) -> list[Recorded]:
    """Return what GoogLeNet's authors did to training pictures, up to `Normalize`.

    A window of 8 to 100 % of the area with sides from 3:4 to 4:3, resized by one of four
    interpolations; mirrored or not; brightness, contrast and saturation changed by up to a half, in
    a random order; and a little coloured light.

    Parameters
    ----------
    size
        (height, width) of the result, or one number for a square.
    scale
        The least and the greatest share of the area.

    Returns
    -------
    list
        Transforms for `Compose`; all of them take bytes and return bytes, in three channels or one.

    Source
    ------
    Szegedy and others, "Going Deeper with Convolutions" (2015), section 6: "sampling of various
    sized patches of the image whose size is distributed evenly between 8% and 100% of the image
    area with aspect ratio constrained to the interval [3/4, 4/3]", photometric distortions "of
    Andrew Howard", and "random interpolation methods (bilinear, area, nearest neighbor and cubic,
    with equal probability) for resizing". Howard, "Some Improvements on Deep Convolutional Neural
    Network Based Image Classification" (2013), gives the distortions: contrast, brightness and
    colour by PIL's `ImageEnhance`, each from 0.5 to 1.5, in random order, and then the random
    lighting of Krizhevsky and others. The mirroring is theirs too: the paper does not speak of it.

    Examples
    --------
    >>> from minigrad.data import Compose, Normalize
    >>> augment = Compose([*paper_augmentation(224), Normalize(0.45, 0.225)])
    >>> augment.transforms[0]
    RandomResizedCrop(size=224, scale=(0.08, 1.0), ratio=(0.75, 1.3333333333333333),
    interpolation='random')
    """
    return [
        RandomResizedCrop(size, scale=scale, interpolation="random"),
        RandomHorizontalFlip(),
        ColorJitter(brightness=0.5, contrast=0.5, saturation=0.5),
        RandomLighting(),
    ]
