"""Transforms in a row, and transforms made again from what was written down of them."""

from collections.abc import Sequence
from dataclasses import MISSING, dataclass, fields
from typing import Any

import numpy as np

from minigrad.data.transforms.base import Recorded, Transform

__all__ = ["Compose", "transform_from_dict"]

DEEPEST = 16  # rows of rows; a file that is nested deeper was not written by us


@dataclass
class Compose(Recorded):
    """Apply transforms one after another.

    Examples
    --------
    >>> from minigrad.data import Normalize, RandomCrop
    >>> augment = Compose([RandomCrop(28, padding=2), Normalize(0.286, 0.353)])
    >>> augment(np.zeros((1, 28, 28), np.uint8), np.random.default_rng(0)).shape
    (1, 28, 28)
    """

    transforms: Sequence[Transform]

    def __post_init__(self) -> None:
        if not isinstance(self.transforms, Sequence) or not all(map(callable, self.transforms)):
            raise ValueError(
                f"Compose: transforms must be a sequence of what is called as transform(image, "
                f"rng), but is {self.transforms!r}"
            )

    def __call__(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return what the last transform returns."""
        for transform in self.transforms:
            image = transform(image, rng)
        return image

    def to_dict(self) -> dict[str, Any]:
        """Return the transforms as plain JSON; `transform_from_dict` turns it back.

        Raises
        ------
        ValueError
            When one of them is a function of your own, of which only the name could be kept.
        """
        written = []
        for transform in self.transforms:
            if not isinstance(transform, Recorded):
                raise ValueError(
                    f"Compose: {transform!r} cannot be written down, since it is not one of "
                    f"minigrad's transforms"
                )
            written.append(transform.to_dict())
        return {"transform": "Compose", "transforms": written}


def transform_from_dict(written: dict[str, Any]) -> Recorded:
    """Make a transform again from what its ``to_dict`` returned. The content is not trusted.

    Raises
    ------
    ValueError
        When it is not what ``to_dict`` writes: the sentence says what is unknown or missing.

    Examples
    --------
    >>> transform_from_dict({"transform": "CenterCrop", "size": 224})
    CenterCrop(size=224)
    """
    return _made(written, 0)


def _made(written: Any, depth: int) -> Recorded:
    name = written.get("transform") if isinstance(written, dict) else None
    kind = Recorded.known.get(name) if isinstance(name, str) else None
    if kind is None or depth > DEEPEST:
        raise ValueError(
            f"transform_from_dict: a dict was needed whose 'transform' is one of "
            f"{', '.join(sorted(Recorded.known))}"
            + (f", nested at most {DEEPEST} deep" if kind else f", but it is {_short(written)}")
        )
    options = {key: value for key, value in written.items() if key != "transform"}
    names = {field.name: field.default is MISSING for field in fields(kind)}  # type: ignore[arg-type]
    for option in options:
        if option not in names:
            raise ValueError(
                f"transform_from_dict: {name} has no option {_short(option)}; it has "
                f"{', '.join(names) or 'none'}"
            )
    for option, needed in names.items():
        if needed and option not in options:
            raise ValueError(f"transform_from_dict: {name} needs the option {option!r}")
    if kind is Compose:
        if not isinstance(options["transforms"], list):
            raise ValueError("transform_from_dict: the transforms of Compose must be a list")
        return Compose([_made(item, depth + 1) for item in options["transforms"]])
    # JSON has no tuples: (height, width) came back as a list.
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in options.items()})


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
