"""What the page tells of a training: gathered beside it, while it goes on."""

import json
from pathlib import Path
from types import TracebackType
from typing import Any

from googlenet.attempts import Attempts
from googlenet.labels import Warn
from googlenet.live.pace import Pace
from googlenet.live.page import page, report
from googlenet.live.samples import Samples
from googlenet.live.server import Server
from googlenet.run_folder import REPORT
from googlenet.sentences import finite, sentence
from googlenet.train import HEADS, Metrics, RunningMean, Training
from googlenet.vitals import Recorder
from googlenet.windows import Points
from minigrad import checkpoint

MOST_POINTS = 300  # of the curves
MOST_MESSAGES = 50
ASKING, TELLING = 0.004, 0.002  # shares of the time: for answers to samples, for all the rest


class Live:
    """A `Watcher` that tells a training's story to a server, and leaves it as a report.

    To be used in a ``with`` statement: where that ends by an error, the story says so.

    Parameters
    ----------
    training : Training
    server : Server
        Is closed at the end.
    facts : dict
        What does not change: "title", "run" and "recipe", text.
    folder : Path
        Of the run, for ``report.html``.
    warn : callable
        Told, once, if nothing can be told any more.
    recorder : Recorder, optional
        Whose probes are shown.

    Attributes
    ----------
    fixed : dict
        What the page shows and does not change: facts, classes, stages, heads, pictures.
    content : dict
        What changes.
    """

    def __init__(
        self,
        training: Training,
        server: Server,
        facts: dict[str, Any],
        folder: Path,
        warn: Warn,
        recorder: Recorder | None = None,
    ) -> None:
        self.training, self.server, self.recorder = training, server, recorder
        self.file = folder / REPORT
        self._trying = Attempts(warn, "live", "The live page shows nothing more")
        self.samples = Samples(training.test_batches.dataset, training.transform)
        self.points = Points(training)
        self.total = training.recipe.epochs * training.recipe.steps(len(training.batches.dataset))
        self._asking, self._publishing = Pace(ASKING, 1.0), Pace(TELLING, 1.0)
        self._asked = 0  # how often
        self.fixed: dict[str, Any] = {
            **facts,
            "classes": list(training.batches.dataset.classes),
            "stages": list(training.net.stages),
            "heads": HEADS,
            "pictures": self.samples.pictures,
            "steps": self.total,
            "epochs": training.recipe.epochs,
            "recorded": recorder is not None,
        }
        self.content: dict[str, Any] = {
            "state": "training",
            "error": None,
            "step": self.points.steps,
            "seconds": training.seconds,
            "guess": recorder.content["guess"]["training"] if recorder else None,
            # Of an earlier part of the run there is what was recorded.
            "curve": [dict(row) for row in recorder.content["curve"]] if recorder else [],
            "rows": training.history,
            "probes": [],
            "answers": None,
            "messages": [],
        }

    # -- a watcher -------------------------------------------------------------------------------

    def step(self, images: int, means: RunningMean, learning_rate: float) -> None:
        """Be told after every step; now and then, ask the network, and tell."""
        point = self.points.step(images, means, learning_rate)
        if point is not None:
            self._add(point)
        if self._asking.due():
            self._trying(self._ask)
        if self._publishing.due():
            self._trying(self._publish)

    def epoch(self, metrics: Metrics) -> None:
        """Be told after every epoch: ask, tell, and write the report."""
        point = self.points.point(metrics["learning_rate"])
        if point is not None:
            self._add(point)
        self._trying(self._ask)
        self._trying(self._publish)
        self._trying(self._write)

    def note(self, kind: str, text: str) -> None:
        """Be told of a warning."""
        del self.content["messages"][MOST_MESSAGES - 1 :]
        self.content["messages"].insert(0, {"step": self.points.steps, "text": text})

    # -- from its beginning to its end -----------------------------------------------------------

    def __enter__(self) -> "Live":
        html, policy = page(self.fixed, self._story())
        self.server.start(html, policy, self._bytes())
        return self

    def end(self, state: str) -> None:
        """Be told how the training ended: "finished" or "stopped"."""
        self.content["state"] = state

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        if isinstance(error, Exception):
            self.content |= {"state": "failed", "error": sentence(error)}
        elif self.content["state"] == "training":
            self.content["state"] = "stopped"
        self._trying(self._publish)
        self._trying(self._write)
        self.server.close()

    # -- telling ---------------------------------------------------------------------------------

    def _add(self, point: Metrics) -> None:
        curve = self.content["curve"]
        curve.append({name: _short(value) for name, value in point.items()})
        if len(curve) > MOST_POINTS:
            self.content["curve"] = thinned(curve)
            self.points.every *= 2

    def _ask(self) -> None:
        self._asking.begin()
        answers = self.samples.answers(self.training.net, self.training.recipe.precision)
        self.content["answers"] = {"step": self.points.steps, "of": answers}
        self._asked += 1
        if self._asked > 1:  # the first may have waited for kernels to be compiled
            self._asking.end()

    def _publish(self) -> None:
        self._publishing.begin()
        self.server.publish(self._bytes())
        self._publishing.end()

    def _write(self) -> None:
        checkpoint.write_whole(self.file, report(self.fixed, self._story()))

    def _story(self) -> dict[str, Any]:
        self.content |= {
            "step": self.points.steps, "seconds": self.training.seconds,
            "rows": self.training.history,
        }  # fmt: skip
        if self.recorder is not None:
            names = ("step", "gradient", "gradient_main")
            probes = self.recorder.content["probes"]
            self.content["probes"] = [{name: row[name] for name in names} for row in probes]
        return finite(self.content)

    def _bytes(self) -> bytes:
        return json.dumps(self._story(), separators=(",", ":"), allow_nan=False).encode()


def thinned(curve: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Make one point of each two that follow each other: the means over the steps of both.

    Examples
    --------
    >>> thinned([{"step": 1, "steps": 1, "loss": 4.0}, {"step": 4, "steps": 3, "loss": 2.0}])
    [{'step': 4, 'steps': 4, 'loss': 2.5}]
    """
    pairs = zip(curve[::2], curve[1::2], strict=False)
    return [_joined(a, b) for a, b in pairs] + curve[len(curve) // 2 * 2 :]


def _joined(a: dict[str, Any], b: dict[str, Any]) -> dict[str, Any]:
    steps = a["steps"] + b["steps"]
    means = {
        name: _short((a["steps"] * a[name] + b["steps"] * b[name]) / steps)
        for name in b
        if name not in ("step", "steps") and name in a
    }
    return {"step": b["step"], "steps": steps, **means}


def _short(value: float) -> float:
    """Keep six digits: more are not seen."""
    return value if isinstance(value, int) else float(f"{value:.6g}")
