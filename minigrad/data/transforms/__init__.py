"""Transforms: what happens to an image between the dataset and the batch.

A transform is called as ``transform(image, rng)``. It takes an image (C, H, W) and a generator of
random numbers, and returns the new image; it never writes to the one it got. The generator belongs
to the sample, so the same sample of the same epoch is always changed in the same way. Any function
with these two parameters is a transform::

    def darken(image, rng):
        return image * rng.uniform(0.5, 1)

Pictures are cut and resized as bytes, and become floating point last: that is several times faster
than the other way round. The usual way of a photograph into a network of 224 pixels is ::

    changed = [RandomResizedCrop(224), RandomHorizontalFlip()]  # to train
    fixed = [Resize(256), CenterCrop(224)]  # to test, and in use
    last = [Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))]

The transforms here can be written down, ``transform.to_dict()``, and made again from that by
`transform_from_dict`. Their names and parameters are torchvision's.

`geometry` moves pixels, `colour` changes colours, `values` turns bytes into numbers, `paper` puts
together what GoogLeNet's authors did, `compose` puts transforms in a row, and
`base` is what all of them share.
"""

from minigrad.data.transforms.base import Transform
from minigrad.data.transforms.colour import (
    ColorJitter,
    RandomGrayscale,
    RandomLighting,
    RandomPhotometricDistort,
)
from minigrad.data.transforms.compose import Compose, transform_from_dict
from minigrad.data.transforms.geometry import (
    CenterCrop,
    Pad,
    RandomCrop,
    RandomHorizontalFlip,
    RandomResizedCrop,
    Resize,
)
from minigrad.data.transforms.paper import paper_augmentation
from minigrad.data.transforms.values import Normalize, ToFloat, to_float

__all__ = [
    "CenterCrop",
    "ColorJitter",
    "Compose",
    "Normalize",
    "Pad",
    "RandomCrop",
    "RandomGrayscale",
    "RandomHorizontalFlip",
    "RandomLighting",
    "RandomPhotometricDistort",
    "RandomResizedCrop",
    "Resize",
    "ToFloat",
    "Transform",
    "paper_augmentation",
    "to_float",
    "transform_from_dict",
]
