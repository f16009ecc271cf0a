"""What a training run leaves behind, and what of it is needed to go on with it or to use it.

A run folder holds

- ``config.json``: the recipe, the data, and what it ran on;
- ``metrics.csv``, ``curves.png``: the figures of every epoch, and a picture of them;
- ``vitals.json``: what was recorded inside the network, see `googlenet.vitals`;
- ``report.html``, ``events.out.tfevents.*``: if somebody watched, see `googlenet.live` and
  `googlenet.event_files`;
- ``checkpoint.safetensors``: while the run is not finished, all that it takes to go on;
- ``model.safetensors``: when it is, the weights, and all that it takes to use them;
- ``averaged.safetensors``: if its recipe wants them, the same with averaged weights. A file of its
  own, which can be given wherever a model can: whoever reads one should not need to know that there
  are two.

Every file is written aside and renamed: whenever a run is killed, each of them is the old one or
the new one, and whole.
"""

from googlenet.run_folder.folder import (
    ASKED,
    AVERAGED,
    CHECKPOINT,
    CONFIG,
    CURVES,
    EVENTS,
    LOCK,
    METRICS,
    MODEL,
    REPORT,
    RunFolder,
)
from googlenet.run_folder.models import Model, load_model, network, save_model

__all__ = [
    "ASKED",
    "AVERAGED",
    "CHECKPOINT",
    "CONFIG",
    "CURVES",
    "EVENTS",
    "LOCK",
    "METRICS",
    "MODEL",
    "REPORT",
    "Model",
    "RunFolder",
    "load_model",
    "network",
    "save_model",
]
