"""`Recipe`: everything that decides how a network is trained, each with what it may be."""

import math
from dataclasses import dataclass, field, fields
from itertools import pairwise
from typing import Any

from googlenet.architecture import ARCHITECTURES, DIALECTS, LRN, VARIANTS, Architecture
from googlenet.recipes import rules
from googlenet.recipes.rules import Rule

# What images between layers are kept in, by the name of the precision.
PRECISIONS = {"float32": "float32", "mixed": "float16", "mixed-bfloat16": "bfloat16"}

OPTIMIZERS = {  # and which hyperparameters they read, beside lr and weight_decay
    "sgd": ("momentum", "nesterov"),
    "adam": ("betas", "eps"),
    "adamw": ("betas", "eps"),
    "rmsprop": ("momentum", "alpha", "eps"),
    "adadelta": ("rho", "eps"),
}
SCHEDULES = {  # likewise, beside warmup and warmup_epochs
    "constant": (),
    "cosine": ("floor", "schedule_length"),
    "step": ("gamma", "step_size", "step_offset"),
    "multistep": ("gamma", "milestones"),
    "exponential": ("gamma",),
    "poly": ("power", "schedule_length"),
}
AVERAGES = {"none": (), "mean": ("average_start",), "ema": ("average_start", "average_decay")}
OF_GOOGLENET = ("dialect", "variant", "stages", "batch_norm", "lrn")  # what only that network has
NORMALIZATIONS = {
    "dataset": "minus the mean of the training pictures, divided by their deviation",
    "mean": "minus their mean, on the scale of bytes, as Caffe does",
    "half": "from 0 … 255 to −1 … 1 (mean 0.5 and deviation 0.5)",
    "scale": "from 0 … 255 to 0 … 1",
    "fixed": "by the numbers `mean` and `std`, on the scale 0 … 1",
}
INITS = ("xavier", "he", "normal", "default", "inception")
PHOTOMETRIC = ("none", "paper", "jitter", "distort")
INTERPOLATIONS = ("nearest", "box", "bilinear", "hamming", "bicubic", "lanczos", "random")


def _option(part: str, default: Any, rule: Rule, about: str) -> Any:
    """Describe a hyperparameter, beside its field."""
    return field(default=default, metadata={"part": part, "rule": rule, "about": about})


_SCALES = "must be one or three numbers, for the channels, or none"


@dataclass(frozen=True)
class Recipe:
    """How to train. All of it is written into the run folder, and into the model.

    What each field means, and what it may be, stands beside it; ``googlenet recipe show`` prints
    that. Without arguments this is the recipe ``default``. `googlenet.recipes.RECIPES` has others.

    Raises
    ------
    ValueError
        If a value is none that its field may have, or values do not go together.

    Examples
    --------
    >>> from googlenet.recipes import Recipe
    >>> Recipe(lr=-1)
    Traceback (most recent call last):
        ...
    ValueError: lr must be a number above 0, got -1
    """

    name: str = _option("", "default", rules.text(), "of the recipe it began as")

    # -- the network --
    architecture: str = _option(
        "network", "googlenet", rules.choice(ARCHITECTURES), "GoogLeNet, or what came after it"
    )
    dialect: str = _option(
        "network", "paper", rules.choice(DIALECTS), "which of the published networks"
    )
    variant: str = _option(
        "network", "googlenet", rules.choice(VARIANTS), "which Inception modules"
    )
    stages: str = _option("network", "", rules.text(), "a list of modules instead of the variant's")
    batch_norm: bool | None = _option(
        "network", None, rules.flag(True), "after every convolution; none: as the dialect does"
    )
    lrn: bool = _option(
        "network", True, rules.flag(), "local response normalisation, where a dialect has it"
    )
    aux_heads: bool = _option("network", True, rules.flag(), "the heads of training")
    dropout: float = _option("network", 0.4, rules.share(), "before the classifier")
    aux_dropout: float = _option("network", 0.7, rules.share(), "in the auxiliary heads")
    init: str = _option("network", "he", rules.choice(INITS), "how weights begin")

    # -- pictures --
    image_size: int = _option("pictures", 32, rules.whole(8), "height and width, in pixels")
    normalization: str = _option(
        "pictures", "dataset", rules.choice(NORMALIZATIONS), "of the values, see below"
    )
    mean: tuple[float, ...] = _option(
        "pictures", (), rules.numbers(_SCALES, lambda v: len(v) in (0, 1, 3)), "of a fixed one"
    )
    std: tuple[float, ...] = _option(
        "pictures", (),
        rules.numbers(
            _SCALES + ", above 0", lambda v: len(v) in (0, 1, 3) and all(each > 0 for each in v)
        ),
        "of a fixed one",
    )  # fmt: skip
    flip: bool = _option("pictures", True, rules.flag(), "mirror half of the training pictures")
    pad: int = _option(
        "pictures", 0, rules.whole(0, 1024),
        "of pictures of one size: zeros around them, of which a random crop is taken",
    )  # fmt: skip
    crop: float = _option(
        "pictures", 0.35, rules.share(False, True),
        "of photographs: the smallest share of the area that a random crop keeps; 1: no such crop",
    )  # fmt: skip
    aspect: tuple[float, ...] = _option(
        "pictures", (3 / 4, 4 / 3),
        rules.numbers(
            "must be two numbers above 0, the lower first",
            lambda v: len(v) == 2 and 0 < v[0] <= v[1],
        ),
        "of these crops: width over height, from and to",
    )  # fmt: skip
    interpolation: str = _option(
        "pictures", "bilinear", rules.choice(INTERPOLATIONS), "of these crops"
    )
    photometric: str = _option(
        "pictures", "none", rules.choice(PHOTOMETRIC), "random changes of light and colour"
    )

    # -- steps --
    batch_size: int = _option("steps", 64, rules.whole(1), "pictures that are computed at once")
    accumulate: int = _option("steps", 1, rules.whole(1), "batches whose gradients make one step")
    epochs: int = _option("steps", 12, rules.whole(1), "times to go through the pictures")
    optimizer: str = _option("steps", "adam", rules.choice(OPTIMIZERS), "how weights move")
    lr: float = _option("steps", 7e-4, rules.above_zero(), "learning rate, at its highest")
    betas: tuple[float, ...] = _option(
        "steps", (0.9, 0.99),
        rules.numbers(
            "must be two numbers in [0, 1)",
            lambda v: len(v) == 2 and all(0 <= each < 1 for each in v),
        ),
        "Adam's memories of gradient and square",
    )  # fmt: skip
    momentum: float = _option("steps", 0.0, rules.share(), "of SGD and RMSprop")
    nesterov: bool = _option("steps", False, rules.flag(), "look ahead along the momentum")
    eps: float = _option("steps", 1e-8, rules.above_zero(), "keeps Adam and others from 0 / 0")
    alpha: float = _option("steps", 0.99, rules.share(), "RMSprop's memory of the square")
    rho: float = _option("steps", 0.9, rules.share(), "Adadelta's memory of squares")
    weight_decay: float = _option("steps", 0.0, rules.share(), "pulls weights towards 0")
    clip_grad_norm: float = _option(
        "steps", 0.0, rules.at_least_zero(), "norm that all gradients together may have; 0: any"
    )
    bias_lr: float = _option(
        "steps", 1.0, rules.at_least_zero(), "rate of biases, as a multiple of that of weights"
    )
    bias_weight_decay: float = _option(
        "steps", 1.0, rules.at_least_zero(), "decay of biases, as a multiple of that of weights"
    )

    # -- rate --
    schedule: str = _option("rate", "cosine", rules.choice(SCHEDULES), "how the rate falls")
    schedule_unit: str = _option(
        "rate", "epochs", rules.choice(("epochs", "steps")), "what the next four count in"
    )
    step_size: float = _option("rate", 1.0, rules.above_zero(), "from one fall to the next")
    step_offset: float = _option("rate", 0.0, rules.at_least_zero(), "so much earlier")
    milestones: tuple[float, ...] = _option(
        "rate", (),
        rules.numbers(
            "must be numbers above 0, each larger than the one before",
            lambda v: all(each > 0 for each in v) and all(a < b for a, b in pairwise(v)),
        ),
        "when it falls",
    )  # fmt: skip
    schedule_length: float = _option(
        "rate", 0.0, rules.at_least_zero(), "of a cosine or a power; 0: the whole training"
    )
    gamma: float = _option(
        "rate",
        0.1,
        rules.share(False, True),
        "factor of each fall; of an exponential, of each unit",
    )
    power: float = _option("rate", 1.0, rules.at_least_zero(), "of what is left of the training")
    floor: float = _option("rate", 0.0, rules.share(), "share of the rate that a cosine ends with")
    warmup: float = _option(
        "rate", 0.05, rules.share(), "share of all steps in which the rate climbs"
    )
    warmup_epochs: float = _option("rate", 0.0, rules.at_least_zero(), "the same, in epochs")

    # -- loss --
    label_smoothing: float = _option("loss", 0.1, rules.share(), "share given to all classes alike")
    aux_weight: float = _option(
        "loss", 0.3, rules.at_least_zero(), "of each auxiliary head's loss in the total"
    )

    # -- averages --
    average: str = _option(
        "average", "none", rules.choice(AVERAGES), "of the weights, tested and kept beside them"
    )
    average_decay: float = _option(
        "average", 0.999, rules.share(), "share of an exponential average kept at each step"
    )
    average_start: float = _option(
        "average", 0.0, rules.share(), "share of all steps after which it begins"
    )

    # -- fine-tuning --
    freeze: tuple[str, ...] = _option(
        "fine-tuning", (), rules.texts("must be patterns of the names of parameters"),
        "parameters that stay as they are: backbone, conv*, inception_3*, …",
    )  # fmt: skip
    backbone_lr: float = _option(
        "fine-tuning", 1.0, rules.at_least_zero(),
        "rate of all but the classifiers, as a multiple of theirs",
    )  # fmt: skip

    # -- the run --
    precision: str = _option(
        "run", "float32", rules.choice(PRECISIONS), "what images between layers are kept in"
    )
    seed: int = _option(
        "run", 0, rules.whole(0), "of the first weights, the order of pictures, and dropout"
    )

    def __post_init__(self) -> None:
        for each in fields(self):
            value = each.metadata["rule"].check(each.name, getattr(self, each.name))
            object.__setattr__(self, each.name, value)
        smallest = self.design().smallest
        if self.image_size < smallest:
            raise ValueError(
                f"image_size must be an integer of at least {smallest}, got {self.image_size!r}"
            )
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov looks along the momentum: momentum must be above 0, got 0")
        if self.schedule == "multistep" and not self.milestones:
            raise ValueError("milestones must be given for the schedule multistep, got none")
        if self.step_offset >= self.step_size:
            raise ValueError(
                f"step_offset must be less than step_size ({self.step_size!r}), got "
                f"{self.step_offset!r}"
            )
        if self.warmup and self.warmup_epochs:
            raise ValueError(
                "warmup and warmup_epochs say the same, one of them must be 0, "
                f"got {self.warmup!r} and {self.warmup_epochs!r}"
            )
        if self.normalization == "fixed" and not len(self.mean) == len(self.std) > 0:
            raise ValueError(
                "mean and std must be as many numbers, at least one, for normalization fixed, "
                f"got {self.mean!r} and {self.std!r}"
            )

    def design(self) -> Architecture:
        """Describe the network."""
        describe = ARCHITECTURES[self.architecture]
        if self.architecture != "googlenet":
            return describe()
        return describe(self.dialect, self.variant, self.stages or None, self.batch_norm, self.lrn)

    @property
    def normalized(self) -> bool:
        """Whether the network has batch normalisation."""
        return self.design().norm is not None

    def steps(self, pictures: int) -> int:
        """Return the optimiser's steps in an epoch of so many pictures."""
        return math.ceil(math.ceil(pictures / self.batch_size) / self.accumulate)

    def warmup_steps(self, per_epoch: int) -> int:
        """Return the steps over which the rate climbs, where an epoch has so many."""
        return int(self.warmup * self.epochs * per_epoch) + round(self.warmup_epochs * per_epoch)

    def unused(self) -> dict[str, str]:
        """Name the hyperparameters that change nothing, and by which other."""
        found: dict[str, str] = {}
        by_kind = {"optimizer": OPTIMIZERS, "schedule": SCHEDULES, "average": AVERAGES}
        for kind, known in by_kind.items():
            chosen = getattr(self, kind)
            for name in {each for options in known.values() for each in options}:
                if name not in known[chosen]:
                    found[name] = f"{kind} {chosen}"
        if self.architecture != "googlenet":
            found |= dict.fromkeys(OF_GOOGLENET, f"architecture {self.architecture}")
        if self.normalization != "fixed":
            found |= dict.fromkeys(("mean", "std"), f"normalization {self.normalization}")
        if self.schedule == "constant":
            found["schedule_unit"] = "schedule constant"
        elif self.schedule in ("cosine", "poly") and not self.schedule_length:
            found["schedule_unit"] = "schedule_length 0"
        if self.crop == 1:
            found |= dict.fromkeys(("aspect", "interpolation"), "crop 1")
        if self.normalized:
            found.setdefault("lrn", "batch normalisation")
        elif not any(isinstance(stage, LRN) for stage in DIALECTS[self.dialect].stem):
            found.setdefault("lrn", f"dialect {self.dialect}")
        if self.stages and self.variant != "naive":  # which also says what modules are like
            found.setdefault("variant", "stages")
        if not self.weight_decay:
            found["bias_weight_decay"] = "weight_decay 0"
        return found | self._unused_of_heads()

    def _unused_of_heads(self) -> dict[str, str]:
        """Name those that change nothing where there are no heads, or none with a hidden layer."""
        heads, kind = self.design().heads, f"dialect {self.dialect}"
        if self.architecture != "googlenet":
            kind = f"architecture {self.architecture}"
        if not self.aux_heads or not heads:
            why = "aux_heads false" if not self.aux_heads else kind
            return dict.fromkeys(("aux_dropout", "aux_weight"), why)
        return {} if any(head.features for head in heads) else {"aux_dropout": kind}


def about(name: str) -> str:
    """Return what a hyperparameter is."""
    return str(_fields()[name].metadata["about"])


def part(name: str) -> str:
    """Return which part of a recipe a hyperparameter belongs to."""
    return str(_fields()[name].metadata["part"])


def rule(name: str) -> Rule:
    """Return what a hyperparameter may be."""
    found: Rule = _fields()[name].metadata["rule"]
    return found


def names() -> list[str]:
    """List all hyperparameters, in order; not the recipe's own name."""
    return [name for name in _fields() if name != "name"]


def _fields() -> dict[str, Any]:
    return {each.name: each for each in fields(Recipe)}
