"""How good a trained network is, or several together: what they say of labelled pictures, counted.

The way of a picture: `crops` says where to cut, `views` cuts, `averaging` fills batches and
averages what comes out of the network, `figures` counts it, with `intervals` and `calibration`;
`examination` walks it. From Python::

    members = [Member(Classifier(model.net), model.transform, data.test) for model in models]
    found = examine_together(members, data.test.labels, crops=10)
    found.ensemble.top(1), found.ensemble.interval(1)
    found.ensemble.against(found.members[0])  # difference, and McNemar's p

Nothing here draws or writes; `googlenet.charts` draws, the command ``googlenet evaluate`` writes.
"""

from googlenet.evaluation.calibration import Calibration, reliability
from googlenet.evaluation.crops import PROTOCOLS, Crop, crops_of
from googlenet.evaluation.examination import (
    Examination,
    Member,
    examine,
    examine_together,
    of_classes,
)
from googlenet.evaluation.figures import WORST, Evaluation
from googlenet.evaluation.intervals import Comparison, compared, mcnemar, wilson
from googlenet.evaluation.views import sees_whole

__all__ = [
    "PROTOCOLS",
    "WORST",
    "Calibration",
    "Comparison",
    "Crop",
    "Evaluation",
    "Examination",
    "Member",
    "compared",
    "crops_of",
    "examine",
    "examine_together",
    "mcnemar",
    "of_classes",
    "reliability",
    "sees_whole",
    "wilson",
]
