"""What the paper's other choices bring on the embedded pictures: trained, tested, with spread.

``python -m benchmarks.choices FOLDER`` trains GoogLeNet with several seeds, three ways, and asks of
each pair whether it made a difference:

- averaged weights (Polyak's mean over the last part of training) against raw ones, with the
  default's falling rate and with a constant one;
- auxiliary heads on against off;
- 1 against 10 against 144 crops;
- one model against as many together as there are seeds.

Each training is an ordinary run in FOLDER; one that is there is not trained again, one that was
stopped goes on. The table is also written into FOLDER as ``choices.json`` and ``choices.md``.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np

from benchmarks.machine import cores, describe
from googlenet.classify import Classifier
from googlenet.evaluation import Evaluation, Member, examine_together
from googlenet.run_folder import MODEL, load_model
from minigrad.checkpoint import write_whole
from minigrad.data import open_dataset

AVERAGED = ("average=mean", "average_start=0.7")
WAYS = {
    "default": AVERAGED,
    "no-heads": (*AVERAGED, "aux_heads=false"),
    "constant-rate": (*AVERAGED, "schedule=constant"),
}
CROPS = (1, 10, 144)


class Row(NamedTuple):
    """One choice: its top-1 error for each seed, in percent."""

    question: str
    choice: str
    errors: tuple[float, ...]

    @property
    def mean(self) -> float:
        return float(np.mean(self.errors))

    @property
    def spread(self) -> float:
        """The standard deviation over seeds (n − 1); 0 of one number."""
        return float(np.std(self.errors, ddof=1)) if len(self.errors) > 1 else 0.0


def train(folder: Path, way: str, seed: int, epochs: int | None) -> Path:
    """Train one run, or go on with it, or leave it as it is if it is finished."""
    run = folder / f"{way}-{seed}"
    if (run / MODEL).is_file():
        return run
    if (run / "config.json").is_file():
        options = ["--resume", str(run)]
    else:
        options = ["--run", str(run), "--seed", str(seed)]
        options += ["--epochs", str(epochs)] if epochs else []
        options += [part for change in WAYS[way] for part in ("--set", change)]
    subprocess.run([sys.executable, "-m", "googlenet", "train", "--quiet", *options], check=True)
    return run


def test(runs: Sequence[Path], crops: int, averaged: bool) -> tuple[list[Evaluation], Evaluation]:
    """Test runs on the embedded test pictures: each alone, and all together."""
    pictures = open_dataset("embedded").test
    members = []
    for run in runs:
        model = load_model(run, averaged=averaged)
        members.append(Member(Classifier(model.net), model.transform, pictures))
    found = examine_together(members, np.asarray(pictures.labels), crops=crops)
    return found.members, found.ensemble


def measure(
    folder: Path, seeds: int, epochs: int | None, constant: bool
) -> Iterator[Row | dict[str, Any]]:
    """Train and test everything; yield the rows of the table, and comparisons of ensembles."""
    ways = [way for way in WAYS if constant or way != "constant-rate"]
    runs = {way: [train(folder, way, seed, epochs) for seed in range(seeds)] for way in ways}
    tested = {
        (way, averaged): test(runs[way], 1, averaged) for way in ways for averaged in (False, True)
    }
    for way in ("default", "constant-rate")[: 1 + constant]:
        for averaged, name in ((False, "raw weights"), (True, "averaged weights")):
            yield _row(f"averaging, {way}", name, tested[way, averaged][0])
    for way, name in (("default", "heads on"), ("no-heads", "heads off")):
        yield _row("auxiliary heads", name, tested[way, False][0])
    alone: list[Evaluation] = tested["default", False][0]
    for crops in CROPS:
        members, together = (
            tested["default", False] if crops == 1 else test(runs["default"], crops, False)
        )
        yield _row("crops, 1 model", str(crops), members)
        yield _row(f"crops, {seeds} models", str(crops), [together])
        difference = [alone[0].against(each) for each in (members[0], together)]
        yield {
            "crops": crops,
            "first model against itself with 1 crop": difference[0].to_dict(),
            "first model with 1 crop against all together": difference[1].to_dict(),
            "interval of all together": together.interval(1),
        }


def _row(question: str, choice: str, found: Sequence[Evaluation]) -> Row:
    return Row(question, choice, tuple(100 * (1 - each.top(1)) for each in found))


def markdown(rows: Sequence[Row], machine: str, seeds: int) -> str:
    """Lay the table out."""
    lines = [
        "# What averaging, heads, crops and ensembles bring",
        "",
        f"`python -m benchmarks.choices FOLDER --seeds {seeds}` on {machine}: top-1 error on the "
        f"1,000 embedded test pictures, in percent, mean ± standard deviation over {seeds} seeds. "
        "(The standard error of one such figure by the choice of pictures alone is about 1.1.)",
        "",
        "| question | choice | error | each |",
        "|---|---|---:|---|",
    ]
    for row in rows:
        each = ", ".join(f"{error:.1f}" for error in row.errors)
        spread = f" ± {row.spread:.2f}" if len(row.errors) > 1 else ""
        lines.append(f"| {row.question} | {row.choice} | {row.mean:.2f}{spread} | {each} |")
    return "\n".join(lines) + "\n"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--seeds", type=click.IntRange(1, 20), default=3, show_default=True)
@click.option("--epochs", type=click.IntRange(1), help="[default: the recipe's]")
@click.option("--constant/--no-constant", default=True, help="Also train at a constant rate.")
def main(folder: Path, seeds: int, epochs: int | None, constant: bool) -> None:
    """Train with several seeds in FOLDER, and tell what each choice brings."""
    rows: list[Row] = []
    comparisons: list[dict[str, Any]] = []
    for found in measure(folder, seeds, epochs, constant):
        if isinstance(found, Row):
            rows.append(found)
            spread = f" ± {found.spread:.2f}" if len(found.errors) > 1 else ""
            click.echo(f"{found.question:26} {found.choice:18} {found.mean:6.2f}{spread}")
        else:
            comparisons.append(found)
    machine = describe(cores())
    content = {
        "seeds": seeds, "machine": machine, "rows": [row._asdict() for row in rows],
        "comparisons": comparisons,
    }  # fmt: skip
    write_whole(folder / "choices.json", (json.dumps(content, indent=1) + "\n").encode())
    words = markdown(rows, f"{machine['processor']}, {machine['cores']}", seeds)
    write_whole(folder / "choices.md", words.encode())


if __name__ == "__main__":
    main()
