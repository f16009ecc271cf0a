"""What a training tells TensorBoard: event files in its run folder, by the library tensorboardX.

``tensorboard --logdir runs`` then shows runs beside each other. Their tags:

- ``loss/main``, ``loss/4a``, ``loss/4d``: training loss of each head, over the steps of a second;
- ``train/accuracy``, ``train/images_per_second``, ``train/learning_rate``: likewise;
- ``test/loss``, ``test/accuracy``: after each epoch, at its last step; with averaged weights
  ``test/loss_averaged`` and ``test/accuracy_averaged``;
- ``gradient/3a``, ``activation/3a``, ``update/3a``, …: of each stage, as `googlenet.probe` saw it;
- the recipe, as a text.

Events are written as they come. The library's usual writer has a queue and a thread for it, and
when a disk is full the thread ends, the queue fills, and whoever writes next waits for ever.
"""

import time
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any

from googlenet.attempts import Attempts
from googlenet.labels import Warn
from googlenet.run_folder import EVENTS
from googlenet.train import HEADS, Metrics, RunningMean, Training
from googlenet.vitals import Recorder
from googlenet.windows import Points

OF_STAGES = ("gradient", "gradient_main", "activation", "update")


def check_installed() -> None:
    """Raise ValueError, and say what to install, if there is no library to write with."""
    if find_spec("tensorboardX") is None:
        raise ValueError(
            "--tensorboard needs the library tensorboardX, which is not installed: "
            "python -m pip install tensorboardX"
        )


class EventFiles:
    """A `Watcher` that writes event files. To be used in a ``with`` statement.

    Parameters
    ----------
    folder : Path
        Of the run.
    training : Training
        Where it stands, an earlier part of the run counts up to there.
    recipe : str
        In words.
    warn : callable
        Told, once, if nothing can be written any more.
    recorder : Recorder, optional
        Whose probes are written.
    """

    def __init__(
        self,
        folder: Path,
        training: Training,
        recipe: str,
        warn: Warn,
        recorder: Recorder | None = None,
    ) -> None:
        from tensorboardX import event_file_writer, summary
        from tensorboardX.proto import event_pb2

        self.training, self.recorder = training, recorder
        self._trying = Attempts(warn, "tensorboard", "Nothing more is written for TensorBoard")
        self._event, self._summary = event_pb2, summary
        before = len(list(folder.glob(EVENTS)))  # of an earlier part
        self._open = lambda: event_file_writer.EventsWriter(str(folder / "events"), f".{before}")
        self._writer: Any = None
        self.points = Points(training)
        self.probes = len(recorder.content["probes"]) if recorder else 0
        self._trying(lambda: self._begin(recipe))

    # -- a watcher -------------------------------------------------------------------------------

    def step(self, images: int, means: RunningMean, learning_rate: float) -> None:
        """Be told after every step; now and then, write."""
        point = self.points.step(images, means, learning_rate)
        if point is not None:
            self._trying(lambda: self._point(point))

    def epoch(self, metrics: Metrics) -> None:
        """Be told after every epoch: write the test."""
        point = self.points.point(metrics["learning_rate"])
        self._trying(lambda: self._test(point, metrics))

    def __enter__(self) -> "EventFiles":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        if self._writer is not None:
            self._trying(self._writer.close)

    # -- writing ---------------------------------------------------------------------------------

    def _begin(self, recipe: str) -> None:
        self._writer = self._open()
        if self.points.steps:  # what an earlier part wrote after this step does not count
            start = self._event.SessionLog(status=self._event.SessionLog.START)
            self._add(self.points.steps + 1, session_log=start)
        else:
            text = "".join(f"    {line}\n" for line in recipe.split("\n"))
            self._add(0, summary=self._summary.text("recipe", text))
        self._writer.flush()

    def _point(self, point: Metrics | None) -> None:
        if point is not None:
            step = int(point["step"])
            for head, name in HEADS.items():
                if f"loss_{head}" in point:
                    self._scalar(f"loss/{name}", point[f"loss_{head}"], step)
            self._scalar("train/accuracy", point["train_accuracy"], step)
            for name in ("learning_rate", "images_per_second"):
                if name in point:
                    self._scalar(f"train/{name}", point[name], step)
        if self.recorder is not None:
            new = self.recorder.content["probes"][self.probes :]
            self.probes += len(new)
            for probe in new:
                self._probe(probe)
        self._writer.flush()

    def _test(self, point: Metrics | None, metrics: Metrics) -> None:
        for name, value in metrics.items():
            if name.startswith("test_"):
                self._scalar(name.replace("_", "/", 1), value, self.points.steps)
        self._point(point)

    def _probe(self, probe: dict[str, Any]) -> None:
        for name in OF_STAGES:
            for stage, value in zip(self.training.net.stages, probe[name], strict=True):
                if value is not None:
                    tag = f"{name}/{stage.removeprefix('inception_')}"
                    self._scalar(tag, value, probe["step"])

    def _scalar(self, tag: str, value: float, step: int) -> None:
        self._add(step, summary=self._summary.scalar(tag, value))

    def _add(self, step: int, **what: Any) -> None:
        self._writer.write_event(self._event.Event(wall_time=time.time(), step=step, **what))
