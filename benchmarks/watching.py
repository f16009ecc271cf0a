"""What it costs to watch a training: the recorder, the live page, event files.

``python -m benchmarks.watching`` trains the default network for some epochs with all of them, and a
browser's part played beside it: the story asked for each second. Each is timed whenever it is told
of a step or an epoch, and so are the answers; what they take is given as a share of the training's
time. That is finer than the difference of two whole trainings, which the machine's moods hide.
"""

import json
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

import click

import minigrad
from benchmarks.machine import cores, describe
from googlenet.event_files import EventFiles
from googlenet.live import Live, Server, server
from googlenet.pictures import some
from googlenet.recipes import RECIPES
from googlenet.recipes.files import changed
from googlenet.run_folder import network
from googlenet.train import Training
from googlenet.vitals import Recorder
from minigrad.data import open_dataset


class Timed:
    """A watcher, and the seconds that it takes."""

    def __init__(self, watcher: Any) -> None:
        self.watcher, self.seconds = watcher, 0.0

    def step(self, *told: Any) -> None:
        self._time(self.watcher.step, told)

    def epoch(self, *told: Any) -> None:
        self._time(self.watcher.epoch, told)

    def _time(self, tell: Any, told: tuple[Any, ...]) -> None:
        begun = time.perf_counter()
        tell(*told)
        self.seconds += time.perf_counter() - begun


class Answers:
    """Times what the server computes, and asks it each second."""

    def __init__(self, url: str) -> None:
        self.url, self.seconds, self.asked, self.over = url, 0.0, 0, threading.Event()
        answer = server._Handler.do_GET

        def timed(handler: Any) -> None:
            begun = time.thread_time()
            answer(handler)
            self.seconds += time.thread_time() - begun

        server._Handler.do_GET = timed  # type: ignore[method-assign]
        threading.Thread(target=self._ask, daemon=True).start()

    def _ask(self) -> None:
        while not self.over.wait(1.0):
            urllib.request.urlopen(f"{self.url}story.json").read()
            self.asked += 1


def measure(epochs: int, pictures: int) -> dict[str, Any]:
    """Train with everybody watching; return the seconds of each, and of the training."""
    recipe = changed(RECIPES["default"].recipe, {"epochs": epochs})
    opened = open_dataset("embedded")
    data = some(opened.training, pictures)
    minigrad.manual_seed(recipe.seed)
    run = Training(network(recipe, len(data.classes), 1), recipe, data, opened.test)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        recorder = Recorder(folder, run, print)
        facts = {"title": "", "run": "run", "recipe": ""}
        with Live(run, Server(), facts, folder, print, recorder) as live:
            answers = Answers(live.server.url)
            with EventFiles(folder, run, "", print, recorder) as files:
                watchers = {"recorder": recorder, "live page": live, "event files": files}
                timed = {name: Timed(watcher) for name, watcher in watchers.items()}
                run.run(*timed.values())
            answers.over.set()
            live.end("finished")
    seconds = {name: each.seconds for name, each in timed.items()}
    seconds["live page, answers"] = answers.seconds
    return {"training": run.seconds, "asked": answers.asked, "seconds": seconds}


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--epochs", default=6, show_default=True)
@click.option("--pictures", default=5000, show_default=True)
@click.option("--json", "as_json", is_flag=True)
def main(epochs: int, pictures: int, as_json: bool) -> None:
    """Measure what it costs to watch a training."""
    found = measure(epochs, pictures)
    if as_json:
        click.echo(json.dumps({**found, "machine": describe(cores())}, indent=1))
        return
    click.echo(f"{found['training']:.0f} s of training, asked {found['asked']} times")
    for name, seconds in found["seconds"].items():
        click.echo(f"{name:20} {seconds:6.3f} s  {seconds / found['training']:.2%}")


if __name__ == "__main__":
    main()
