"""One sitting of a training: from where its folder's checkpoint is to the end, or to a signal."""

import math
import resource
import shlex
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from typing import Any

import click

import minigrad
from googlenet.anomaly import NotFiniteError
from googlenet.commands.errors import FAILURE, STOPPED, Usage
from googlenet.event_files import EventFiles, check_installed
from googlenet.finetuning import take_over
from googlenet.health import Health
from googlenet.live import Live, Server
from googlenet.log import Log
from googlenet.recipes import Recipe, differences, written
from googlenet.run_folder import CHECKPOINT, REPORT, Model, RunFolder, network
from googlenet.train import Training, Watcher
from googlenet.vitals import Recorder
from minigrad.data import ImageError, OpenedDataset


class Session:
    """A network, its training, and who is told of it.

    Parameters
    ----------
    recipe : Recipe
    opened : OpenedDataset
    channels : int
        Of the pictures.
    where : str
        The device, by its full name.
    options : dict
        "cuda_graph", "detect_anomaly", "workers", "on_error", "every", "record"; perhaps
        "live", the port of a page, and "tensorboard".
    log : Log
    start : Model, optional
        A trained network to begin with.
    """

    def __init__(
        self,
        recipe: Recipe,
        opened: OpenedDataset,
        channels: int,
        where: str,
        options: dict[str, Any],
        log: Log,
        start: Model | None = None,
    ) -> None:
        self.opened, self.where, self.options, self.log = opened, where, options, log
        minigrad.manual_seed(recipe.seed)
        net = network(recipe, len(opened.training.classes), channels)
        self.start, self.anew = start, list[str]()
        self.live: Live | None = None
        if start is not None:
            same = start.classes == tuple(opened.training.classes)
            self.anew = take_over(net, start.net, same)
        net.to(where)
        self.parameters = sum(parameter.size for parameter in net.parameters())
        with minigrad.cuda.device(where):
            self.training = Training(
                net, recipe, opened.training, opened.test, options["cuda_graph"],
                options["detect_anomaly"], workers=options["workers"],
                on_error=options["on_error"],
            )  # fmt: skip
        # What cannot be had is said before there is a run folder.
        if options.get("tensorboard"):
            check_installed()
        self.server = None if options.get("live") is None else _server(options["live"])

    def run(self, folder: RunFolder) -> None:
        """Train, and leave in the folder what it takes to use the network, or to go on."""
        training, log, opened = self.training, self.log, self.opened
        folder.training, folder.every = training, self.options["every"]
        again = f"googlenet train --resume {shlex.quote(str(folder.path))}"
        with (
            minigrad.cuda.device(self.where),
            saying_how_to_go_on(f"go on without such pictures: {again} --on-error skip"),
        ):
            begun = folder.resume(training)
            log.say("begin", self._headline(), **self._facts(folder))
            if self.start is not None and not begun:
                log.say("finetune", self._of_the_start(), anew=self.anew)
            if begun:
                log.say("resumed", f"going on after {self._place()}", **self._steps())
            done = len(training.history) * len(opened.training) + training.means.count
            showing = log.showing(training.recipe.epochs, len(opened.training), done)
            with self._watching(folder) as watchers, self._stopping(), showing, \
                    self._explaining(folder), self._keeping(folder):  # fmt: skip
                finished = training.run(*watchers, folder)
                if self.live is not None:
                    self.live.end("finished" if finished else "stopped")
                if finished:
                    folder.finish(opened.training.classes, training.transform)
                else:
                    folder.keep()
        if not finished:
            text = f"stopped after {self._place()}; go on with: {again}"
            log.say("stopped", text, **self._steps(), run=str(folder.path))
            raise SystemExit(STOPPED)
        self._say_what_was_left_out()
        self._say_how_it_ended(folder)

    @contextmanager
    def _watching(self, folder: RunFolder) -> Iterator[list[Watcher]]:
        """Set up whoever wants to know how training goes."""
        training, log, opened, options = self.training, self.log, self.opened, self.options
        recorder = None
        if options["record"]:
            recorder = Recorder(folder.path, training, log.warn)
            folder.beside.append(recorder.write)

        def warn(kind: str, text: str) -> None:
            log.warn(kind, text)
            if self.live is not None:
                self.live.note(kind, text)

        health = Health(warn, training.recipe, opened.training, opened.test, training.batches)
        watchers: list[Watcher] = [health, log, *([recorder] if recorder else [])]
        recipe = self._whole_recipe()
        with ExitStack() as stack:
            if options.get("tensorboard"):
                files = EventFiles(folder.path, training, recipe, log.warn, recorder)
                watchers.append(stack.enter_context(files))
            if self.server is not None:
                facts = {
                    "title": self._headline().split("\n")[0],
                    "run": str(folder.path),
                    "recipe": f"{opened.description}\n\n{recipe}",
                }
                self.live = Live(training, self.server, facts, folder.path, log.warn, recorder)
                watchers.append(stack.enter_context(self.live))
                report = folder.path / REPORT
                text = f"live page: {self.server.url}  (kept as {report})"
                log.say("live", text, url=self.server.url, report=str(report))
            yield watchers

    # -- words -----------------------------------------------------------------------------------

    def _headline(self) -> str:
        recipe, cpu = self.training.recipe, self.where == "cpu"
        name = recipe.design().name.split(",")[0]
        return (
            f"{name}, {self.parameters:,} parameters, {recipe.image_size}×{recipe.image_size} "
            f"pixels: {len(self.opened.training):,} pictures, {recipe.epochs} epochs, batches of "
            f"{recipe.batch_size}, "
            + (f"{minigrad.get_num_threads()} threads" if cpu else self.where)
            + f"\ndata: {self.opened.description}"
            + (f"\nrecipe: {self._recipe()}" if recipe.name != "default" else "")
        )

    def _recipe(self) -> str:
        """Name the recipe, and what of it is another here."""
        recipe = self.training.recipe
        other = ", ".join(f"{n} {getattr(recipe, n)}" for n in differences(recipe))
        return recipe.name + (f", but {other}" if other else "")

    def _whole_recipe(self) -> str:
        """Write down every hyperparameter."""
        values = asdict(self.training.recipe)
        return "\n".join(f"{name} = {written(value)}" for name, value in values.items())

    def _of_the_start(self) -> str:
        """Say what was taken over of a trained network, and what stays as it is."""
        anew = f" but for {', '.join(self.anew)}" if self.anew else ""
        frozen = sum(p.size for p in self.training.net.parameters() if not p.requires_grad)
        still = f"; {frozen:,} parameters are frozen" if frozen else ""
        return (
            f"begins with trained weights{anew}{still}; pictures are normalised as they were in "
            "that training"
        )

    def _facts(self, folder: RunFolder) -> dict[str, Any]:
        """Tell programs what is being trained."""
        return {
            "run": str(folder.path),
            "config": folder.config(),
            "parameters": self.parameters,
            "device": self.where,
            "threads": minigrad.get_num_threads(),
        }

    def _place(self) -> str:
        """Say how far the training is."""
        epochs, steps = self._steps().values()
        return f"epoch {epochs}" + (f" and {steps} steps" if steps else "")

    def _steps(self) -> dict[str, int]:
        """Tell programs how far the training is."""
        place, epochs = self.training.batches.state_dict(), len(self.training.history)
        testing = place["epoch"] > epochs  # all steps of the epoch are done
        batches = len(self.training.batches) if testing else place["batches"]
        steps = math.ceil(batches / self.training.recipe.accumulate)
        return {"epochs": epochs, "steps_of_epoch": steps}

    def _say_what_was_left_out(self) -> None:
        batches, tested = self.training.batches, self.training.test_batches
        counts = len(batches.left_out), len(tested.left_out)
        if any(counts):
            self.log.warn(
                "left-out",
                "left out, since they cannot be read: "
                f"{counts[0]} training and {counts[1]} test pictures",
            )

    def _say_how_it_ended(self, folder: RunFolder) -> None:
        result, memory = self.training.history[-1], _peak_memory()
        seconds = time.perf_counter() - self.log.started
        averaged = result.get("test_accuracy_averaged")
        also = "" if averaged is None else f", with averaged weights {averaged:.4f},"
        facts = {} if averaged is None else {"test_accuracy_averaged": averaged}
        self.log.say(
            "end",
            f"test accuracy {result['test_accuracy']:.4f}{also} after {seconds:.0f} s, peak memory "
            f"{memory:.2f} GiB; run folder: {folder.path}",
            run=str(folder.path),
            test_accuracy=result["test_accuracy"],
            test_loss=result["test_loss"],
            epochs=len(self.training.history),
            peak_memory_gib=memory,
            **facts,
        )

    # -- what may come in between ----------------------------------------------------------------

    @contextmanager
    def _stopping(self) -> Iterator[None]:
        """Let Ctrl-C, and a polite kill, end the step going on; the second time, at once."""

        def stop(number: int, frame: Any) -> None:
            if self.training.stopping:
                raise KeyboardInterrupt
            self.training.stop()
            self.log.say("stopping", "stopping after this step (Ctrl-C again: at once)")

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def _keeping(self, folder: RunFolder) -> Iterator[None]:
        """Keep what was learned until a picture could not be read: one may go on without it.

        The error comes up between two steps: the last one is whole.
        """
        try:
            yield
        except RuntimeError as error:
            if isinstance(error.__cause__, ImageError):
                folder.keep()
            raise

    @contextmanager
    def _explaining(self, folder: RunFolder) -> Iterator[None]:
        """Say of numbers that are not finite when they came up, and what to do."""
        try:
            yield
        except NotFiniteError as error:
            recipe = self.training.recipe
            tries = f"Try a lower --lr (now {recipe.lr:g})"
            tries += "" if recipe.precision == "float32" else ", or --precision float32"
            kept = folder.path / CHECKPOINT
            tries += f". {str(kept)!r} is from before" if kept.is_file() else ""
            raise NotFiniteError(f"{self._where()}: {error}. {tries}") from error

    def _where(self) -> str:
        """Name the step that the training is at."""
        place = self.training.batches.state_dict()
        if place["batches"] == 0:
            return f"at the end of epoch {place['epoch']}"
        step = math.ceil(place["batches"] / self.training.recipe.accumulate)
        return f"in step {step} of epoch {place['epoch'] + 1}"


def _server(port: int) -> Server:
    try:
        return Server(port)
    except OSError as error:
        raise Usage(f"--live: {error}; without a number, one is taken that is free") from error


@contextmanager
def telling_errors(log: Log) -> Iterator[None]:
    """Let programs that read the log know of an error, before it ends the program."""
    try:
        yield
    except click.ClickException as error:
        log.say("error", error.message, message=error.message, code=error.exit_code)
        raise
    except (ValueError, OSError, RuntimeError, minigrad.DeviceError) as error:
        log.say("error", str(error), message=str(error), code=FAILURE)
        raise


@contextmanager
def saying_how_to_go_on(how: str) -> Iterator[None]:
    """Let the error about a picture that cannot be read say what can be done about it."""
    try:
        yield
    except (ImageError, RuntimeError) as error:
        bad = error if isinstance(error, ImageError) else error.__cause__
        if not isinstance(bad, ImageError):
            raise
        raise RuntimeError(f"{bad}; {how}") from error


def _peak_memory() -> float:
    """Return the most memory this process has held, in GiB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30
