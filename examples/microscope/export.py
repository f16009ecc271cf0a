"""What the engine says: every number that the page is held against.

All of it comes through `minigrad.functional` and ``backward``, in float32, as any user would get
it. Winners of a max pool are not returned by anyone: they are where the gradient arrives.
"""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import minigrad
from examples.microscope.kernels import SIZES, Kernel, presets
from googlenet import architecture, summary
from googlenet.model import GoogLeNet
from minigrad import functional as F
from minigrad.data import CenterCrop, Compose, FashionMNIST, Resize, read_image

SIDE = 12  # of the image
BOOT = 9  # of the test images
CROP = slice(2, 26)
LIMITS = {"size": SIZES, "stride": (1, 2, 3), "padding": (0, 1, 2), "dilation": (1, 2, 3)}
POOL_LIMITS = {"size": (2, 3), "stride": (1, 2, 3), "padding": (0, 1), "ceil_mode": (False, True)}
START = "edges-vertical"  # the kernel that the page opens with
LARGEST_OUTPUT = SIDE + 2 * max(LIMITS["padding"])


class Picture(NamedTuple):
    """An image, and what it shows."""

    title: str
    source: str
    values: np.ndarray  # (SIDE, SIDE), from 0 to 1


def boot() -> Picture:
    """Return the ankle boot that ships with minigrad, each 2×2 pixels averaged."""
    image, _ = FashionMNIST(train=False)[BOOT]
    image = image[:, CROP, CROP].reshape(SIDE, 2, SIDE, 2).mean((1, 3)) / 255
    return Picture("an ankle boot", f"Fashion-MNIST, test image {BOOT}", _tenths(image))


def picture(path: Path) -> Picture:
    """Read a picture of one's own: its middle, grey, in as many pixels.

    Raises
    ------
    ValueError
        If it cannot be read.
    """
    image = read_image(path, channels=1)
    middle = Compose([CenterCrop(min(image.shape[1:])), Resize((SIDE, SIDE))])
    pixels = middle(image, np.random.default_rng(0))  # nothing of it is random
    return Picture(path.name, "a picture of one’s own", _tenths(pixels[0] / 255))


def _tenths(image: np.ndarray) -> np.ndarray:
    """Round, so that a sum of a few pixels can be followed in one's head."""
    return image.round(1).astype(np.float32)


def upstream() -> np.ndarray:
    """Draw the gradient that comes from above: (LARGEST_OUTPUT, LARGEST_OUTPUT), in halves.

    A smaller output takes its upper left corner.
    """
    drawn = np.random.default_rng(0).integers(-2, 3, (LARGEST_OUTPUT, LARGEST_OUTPUT))
    return (drawn / 2).astype(np.float32)


def everything(image: Picture, kernel: Kernel | None = None) -> dict[str, Any]:
    """Ask the engine for all that the page shows of an image.

    Parameters
    ----------
    image : Picture
    kernel : Kernel, optional
        One more than there is to choose from.
    """
    kernels = presets() + ([kernel] if kernel else [])
    return {
        "image": {
            "title": image.title, "source": image.source, "side": SIDE,
            "values": numbers(image.values),
        },
        "upstream": {"side": LARGEST_OUTPUT, "values": numbers(upstream())},
        "kernels": [
            {"name": k.name, "title": k.title, "says": k.says, "size": k.size,
             "values": numbers(k.values)}
            for k in kernels
        ],
        "limits": LIMITS,
        "pool_limits": POOL_LIMITS,
        "convolutions": list(convolutions(image, kernels)),
        "pools": list(pools(image)),
        "inception": inception(),
        "dtype": "float32",
    }  # fmt: skip


def convolutions(image: Picture, kernels: list[Kernel]) -> Iterator[dict[str, Any]]:
    """Yield forward for every kernel in every setting, and backward for some.

    Backward is linear in the kernel, so one kernel of each size will do: the one that the page
    opens with, and one's own. A kernel of one number has nothing to dilate.
    """
    axes = (LIMITS[name] for name in ("stride", "padding", "dilation"))
    for stride, padding, dilation in itertools.product(*axes):
        for number, kernel in enumerate(kernels):
            if kernel.size == 1 and dilation > 1:
                continue
            found: dict[str, Any] = {"kernel": number, "setting": [stride, padding, dilation]}
            window = {"stride": stride, "padding": padding, "dilation": dilation}
            try:
                found |= convolution(image, kernel, window, backward=_also_backward(kernel))
            except ValueError as error:
                found["error"] = str(error)
            yield found


def _also_backward(kernel: Kernel) -> bool:
    return kernel.name in (START, "own") or kernel.size == 1


def convolution(
    image: Picture, kernel: Kernel, window: dict[str, int], backward: bool
) -> dict[str, Any]:
    """Run one convolution, and its backward for three gradients from above.

    Raises
    ------
    ValueError
        The engine's, if the window does not fit.
    """
    weight = kernel.values[np.newaxis, np.newaxis]
    out = F.conv2d(_tensor(image.values), minigrad.tensor(weight), **window)
    shape = out.shape[2:]
    found: dict[str, Any] = {"shape": shape, "out": numbers(out.data)}
    if not backward:
        return found
    for name, gradient in gradients(shape).items():
        if name != "random" and kernel.size != 3:
            continue  # drawn numbers tell as much: backward is linear in the gradient too
        x, w = _tensor(image.values, True), minigrad.tensor(weight, requires_grad=True)
        F.conv2d(x, w, **window).backward(minigrad.tensor(gradient[np.newaxis, np.newaxis]))
        found[name] = {"image": numbers(x.grad.data), "kernel": numbers(w.grad.data)}
    return found


def gradients(shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    """Return three gradients from above: of the pixel in the middle, all ones, and drawn."""
    pixel = np.zeros(shape, np.float32)
    pixel[shape[0] // 2, shape[1] // 2] = 1
    return {
        "pixel": pixel,
        "ones": np.ones(shape, np.float32),
        "random": upstream()[: shape[0], : shape[1]].copy(),
    }


def pools(image: Picture) -> Iterator[dict[str, Any]]:
    """Yield max pooling in every setting: the output, who won, and two gradients of the image."""
    for values in itertools.product(*POOL_LIMITS.values()):
        window: dict[str, Any] = dict(zip(POOL_LIMITS, values, strict=True))
        window["kernel_size"] = window.pop("size")
        out = F.max_pool2d(_tensor(image.values), **window)
        shape, count = out.shape[2:], out.size
        # One copy of the image for each output pixel, which alone gets a gradient, of 1.
        copies = minigrad.tensor(np.tile(image.values, (count, 1, 1, 1)), requires_grad=True)
        single = np.eye(count, dtype=np.float32).reshape(count, 1, *shape)
        F.max_pool2d(copies, **window).backward(minigrad.tensor(single))
        won = copies.grad.data.reshape(count, -1)
        found = {
            "setting": list(values), "shape": shape, "out": numbers(out.data),
            "winners": won.argmax(axis=1).tolist(),
        }  # fmt: skip
        for name, gradient in gradients(shape).items():
            x = _tensor(image.values, True)
            F.max_pool2d(x, **window).backward(minigrad.tensor(gradient[np.newaxis, np.newaxis]))
            found[name] = numbers(x.grad.data)
        yield found


def inception() -> dict[str, Any]:
    """Return what comes to each Inception module, its widths, and what its reductions save."""
    net = GoogLeNet()
    steps = {
        step.stage.name.removeprefix("inception_"): step
        for step in architecture.walk(net.design.stages, net.in_channels, net.image_size)
    }
    rows, counted = summary.rows(net)[0], {}
    for row in rows:
        counted[row.name.removeprefix("inception_")] = row.multiply_adds
    saved: dict[str, dict[str, Any]] = {name: {} for name in architecture.ROWS}
    for reduction in summary.reductions(net):
        stage, conv = reduction.name.removeprefix("inception_").split(".")
        saved[stage][conv] = {
            "direct": reduction.direct, "reduction": reduction.reduction,
            "convolution": reduction.convolution,
        }  # fmt: skip
    return {
        name: {
            "channels": steps[name].in_channels, "size": steps[name].in_size,
            "widths": dict(zip(row._fields[1:], row[1:], strict=True)),
            "multiply_adds": counted[name], "reductions": saved[name],
            "printed": architecture.PRINTED[f"inception_{name}"].multiply_adds,
        }
        for name, row in architecture.ROWS.items()
    }  # fmt: skip


def numbers(array: np.ndarray) -> list[float]:
    """List numbers to six decimals, which is what float32 keeps of sums like these.

    Examples
    --------
    >>> numbers(np.array([[0.1, 2.0], [-0.0, 1 / 3]], np.float32))
    [0.1, 2, 0, 0.333333]
    """
    rounded = np.asarray(array, np.float64).round(6).ravel().tolist()
    return [int(number) if number == int(number) else number for number in rounded]


def _tensor(image: np.ndarray, requires_grad: bool = False) -> minigrad.Tensor:
    return minigrad.tensor(image[np.newaxis, np.newaxis].copy(), requires_grad=requires_grad)
