"""The files that ``googlenet evaluate`` leaves."""

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from googlenet.evaluation import Evaluation
from minigrad.checkpoint import write_whole
from minigrad.data import Dataset, ImageFolder


def said(evaluation: Evaluation, place: int, pictures: Dataset) -> dict[str, Any]:
    """Return what the network said of one picture."""
    index = int(evaluation.indices[place])
    return {
        "index": index,
        "picture": _name(pictures, index),
        "class": evaluation.classes[evaluation.labels[place]],
        "predicted": evaluation.classes[evaluation.predicted[place]],
        "probability": float(evaluation.confidence[place]),
        "probability_of_class": float(evaluation.probability_of_class[place]),
    }


def _name(pictures: Dataset, index: int) -> str:
    """Name a picture: by its path, if it is a file."""
    if isinstance(pictures, ImageFolder):
        return str(pictures.root / pictures.files[index])
    return f"test picture {index}"


def write(
    folder: Path, evaluation: Evaluation, pictures: Dataset, result: Mapping[str, Any]
) -> None:
    """Write all files, once all of them are ready; ``evaluation.json``, which sums up, last."""
    from googlenet.charts import (  # Matplotlib takes time
        Mistake,
        draw_calibration,
        draw_confusion,
        draw_mistakes,
    )

    mistakes = [
        Mistake(
            pictures[wrong["index"]][0], wrong["class"], wrong["predicted"], wrong["probability"]
        )
        for wrong in result["mistakes"]
    ]
    rows = [said(evaluation, place, pictures) for place in range(len(evaluation))]
    classes = evaluation.classes
    counts = zip(classes, evaluation.confusion.tolist(), strict=True)
    files = {
        "predictions.csv": _csv(list(rows[0]), [list(row.values()) for row in rows]),
        "confusion.csv": _csv(["is \\ taken for", *classes], [[n, *row] for n, row in counts]),
        "confusion.png": draw_confusion(evaluation.confusion, classes),
        "calibration.png": draw_calibration(evaluation.calibration()),
        "mistakes.png": draw_mistakes(mistakes),
        "evaluation.json": (json.dumps(result, indent=2) + "\n").encode(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        write_whole(folder / name, content)


def _csv(head: list[str], rows: list[list[Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([head, *rows])
    return text.getvalue().encode("utf-8", "backslashreplace")
