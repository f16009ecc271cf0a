"""How a property is examined: by hypothesis, which draws inputs and shrinks those that fail."""

import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import SearchStrategy

import minigrad
from minigrad.testing import strategies
from minigrad.testing.layers.inputs import as_arrays, as_text
from minigrad.testing.layers.layer import BrokenError, Example, Layer, NotApplicableError
from minigrad.testing.layers.report import LayerFailure, PropertyResult

ENGINE = str(Path(minigrad.__file__).parent)
OURS = Path(__file__).parent, Path(__file__).parents[1]  # check_layer, and gradcheck


@dataclass(frozen=True)
class Property:
    """A property of layers.

    Attributes
    ----------
    key, sentence : str
    examine : callable
        Takes a `Layer` and an `Example`. Returns a remark or None if the property holds.
    needs : tuple of str
        Properties without which this one means nothing.
    compares : bool
        Whether it compares runs: it cannot if the layer gives something else each time.
    share : float
        Of the examples asked for: fewer where one takes long. 0: a single one, and what it holds
        does not matter.
    conclude : callable, optional
        Takes the `Layer`, after all examples.
    """

    key: str
    sentence: str
    examine: Callable[[Layer, Example], str | None]
    needs: tuple[str, ...] = ("runs",)
    compares: bool = True
    share: float = 1.0
    conclude: Callable[[Layer], None] | None = None

    def left_out(self, reason: str) -> PropertyResult:
        """Make the line of the checklist that says why it was not examined."""
        return PropertyResult(self.key, self.sentence, None, reason)

    def held(self, remark: str) -> PropertyResult:
        """Make the line of the checklist that says that it holds."""
        return PropertyResult(self.key, self.sentence, True, remark)

    def broken(self, message: str, **known: Any) -> PropertyResult:
        """Make the line of the checklist that says that it does not, with the details."""
        failure = LayerFailure(self.key, self.sentence, message=message, **known)
        return PropertyResult(self.key, self.sentence, False, failure=failure)


class Examiner:
    """Examines properties of one layer.

    Attributes
    ----------
    layer : Layer
    inputs : strategy
    max_examples, seed : int
    """

    def __init__(
        self, layer: Layer, inputs: SearchStrategy[Any], max_examples: int, seed: int
    ) -> None:
        self.layer, self.inputs = layer, inputs
        self.max_examples, self.seed = max_examples, seed

    def settle(self) -> None:
        """Let the layer leave its first values (see `Layer.settle`)."""

        def one(example: Example) -> None:
            with suppress(Exception):  # the property `runs` reports it
                self.layer.settle(example)

        self._explore(one, 1)

    def examine(self, property_: Property) -> PropertyResult:
        """Draw examples until one breaks the property, or all are done."""
        remarks: list[str | None] = []
        reasons: list[str] = []
        broken: list[tuple[Exception, Example, str]] = []

        def one(example: Example) -> None:
            self.layer.mode = ""
            try:
                remarks.append(property_.examine(self.layer, example))
            except NotApplicableError as reason:
                reasons.append(str(reason))
            except Exception as error:
                broken.append((error, example, self.layer.mode))
                raise

        try:
            self._explore(one, max(1, round(self.max_examples * property_.share)))
        except Exception as error:
            if not broken or not _from_layer(broken[-1][0]):
                raise  # the strategy raised it, or a mistake in here
            # Hypothesis ends with the smallest, and notes on what it raises how it is written.
            return self._broken(property_, *broken[-1], _drawn(error))
        if not remarks:
            return property_.left_out(f"not applicable: {reasons[0]}")
        if property_.conclude is not None:
            try:
                property_.conclude(self.layer)
            except BrokenError as error:
                return property_.broken(str(error))
        return property_.held(next(filter(None, remarks), ""))

    def _broken(
        self, property_: Property, error: Exception, example: Example, mode: str, drawn: str
    ) -> PropertyResult:
        if isinstance(error, BrokenError):
            message = str(error)
        else:
            message = described(error, self.layer)
        if not property_.share or getattr(error, "anywhere", False):
            return property_.broken(message)
        names = self.layer.names(len(example.arrays))
        return property_.broken(
            message,
            mode=mode,
            inputs=tuple(example.arrays),
            shown=as_text(names, example.arrays, drawn),
            seed=example.seed,
            gradcheck=getattr(error, "report", None),
        )

    def _explore(self, examine: Callable[[Example], None], examples: int) -> None:
        """Let hypothesis draw examples, and shrink one that raises."""

        @hypothesis.seed(self.seed)
        @settings(
            max_examples=examples,
            derandomize=False,
            database=None,
            deadline=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
            print_blob=False,
        )
        @given(inputs=self.inputs, seed=strategies.seeds())
        def examined(inputs: Any, seed: int) -> None:
            arrays = as_arrays(inputs)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # of NumPy, where nothing is summed
                examine(Example([a.copy() for a in arrays], seed))

        examined()


def described(error: Exception, layer: Layer) -> str:
    """Say what an exception of a layer is, and which of its lines raised it."""
    said = f"{type(error).__name__}: {error}"
    if layer.running != layer.dtype:
        said = f"in {layer.running}, {said}"
    frames = list(traceback.extract_tb(error.__traceback__))
    ours = [i for i, frame in enumerate(frames) if Path(frame.filename).parent in OURS]
    frames = frames[ours[-1] + 1 if ours else 0 :]
    theirs = [f for f in frames if not f.filename.startswith(ENGINE) and not _library(f.filename)]
    if not frames:
        return said
    at = (theirs or frames)[-1]
    return f"{said}\nraised in {Path(at.filename).name}, line {at.lineno}, {at.name}: {at.line}"


def _from_layer(error: Exception) -> bool:
    """Tell whether the layer raised it: or the call of the layer, for wrong arguments."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return (
        isinstance(error, BrokenError)
        or Path(frame.filename).parent not in OURS
        or frame.name == "outputs"
    )


def _library(filename: str) -> bool:
    return bool({"site-packages", "dist-packages"} & set(Path(filename).parts))


def _drawn(error: Exception) -> str:
    """Find in hypothesis's notes how it writes the inputs."""
    notes = "\n".join(getattr(error, "__notes__", ()))
    start, end = notes.find("inputs="), notes.rfind("seed=")
    return notes[start + len("inputs=") : end].strip().rstrip(",") if 0 <= start < end else ""
