"""First values for weights. Each function fills a tensor in place, from a generator you give.

A unit that sums `fan_in` products of weight and input has fan_in · var(weight) times the variance
of its inputs. Keeping that factor near 1 keeps signals alive through many layers; the names below
are of those who worked out what else must be counted. For a weight (O, I, kh, kw), fan_in is
I·kh·kw and fan_out O·kh·kw.
"""

import math

import numpy as np

from minigrad import device
from minigrad.tensor import Tensor


def fans(tensor: Tensor) -> tuple[int, int]:
    """Return (fan_in, fan_out): how many inputs one output sums, and the reverse."""
    if tensor.ndim < 2:
        raise ValueError(f"init: a weight has at least 2 axes, got shape {tensor.shape}")
    outputs, inputs, *window = tensor.shape
    area = math.prod(window)
    return inputs * area, outputs * area


def constant_(tensor: Tensor, value: float) -> Tensor:
    """Fill with one value."""
    tensor.data[...] = value
    return tensor


def normal_(tensor: Tensor, mean: float, std: float, generator: np.random.Generator) -> Tensor:
    """Fill from a normal distribution."""
    return _fill(tensor, generator.normal(mean, std, tensor.shape))


def uniform_(tensor: Tensor, low: float, high: float, generator: np.random.Generator) -> Tensor:
    """Fill evenly from [low, high)."""
    return _fill(tensor, generator.uniform(low, high, tensor.shape))


def _fill(tensor: Tensor, values: np.ndarray) -> Tensor:
    """Copy values to where the tensor lies: the same on every device."""
    tensor.data[...] = device.put_like(values.astype(tensor.dtype), tensor.data)
    return tensor


def xavier_uniform_(tensor: Tensor, generator: np.random.Generator, gain: float = 1.0) -> Tensor:
    """Fill from ±gain·√(6 / (fan_in + fan_out)): keeps forward and backward signals alike.

    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", 2010. Caffe's GoogLeNet starts so.
    """
    bound = gain * math.sqrt(6 / sum(fans(tensor)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, generator: np.random.Generator, gain: float = 1.0) -> Tensor:
    """Fill from a normal distribution of deviation gain·√(2 / (fan_in + fan_out))."""
    return normal_(tensor, 0.0, gain * math.sqrt(2 / sum(fans(tensor))), generator)


def he_uniform_(tensor: Tensor, generator: np.random.Generator, gain: float = 2**0.5) -> Tensor:
    """Fill from ±gain·√(3 / fan_in). The gain √2 makes up for the half that ReLU cuts off.

    He, Zhang, Ren and Sun, "Delving deep into rectifiers", 2015.
    """
    bound = gain * math.sqrt(3 / fans(tensor)[0])
    return uniform_(tensor, -bound, bound, generator)


def he_normal_(tensor: Tensor, generator: np.random.Generator, gain: float = 2**0.5) -> Tensor:
    """Fill from a normal distribution of deviation gain / √fan_in (see `he_uniform_`)."""
    return normal_(tensor, 0.0, gain / math.sqrt(fans(tensor)[0]), generator)
