"""Recipes that people published for networks of this name, and ours.

Each says where it is from, what came of it there, which of its values that source states, and why
the others are as they are. `Origin` of a value is one of the three: published, chosen, default.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from googlenet.recipes.recipe import Recipe, names

PAPER = "Szegedy et al., “Going deeper with convolutions”, CVPR 2015, sections 5 and 6"
V3 = (
    "Szegedy et al., “Rethinking the Inception architecture for computer vision”, CVPR 2016, "
    "sections 7 and 8"
)
CAFFE = "BVLC's bvlc_googlenet for Caffe: solver.prototxt, train_val.prototxt, readme"

PICTURES = {"": 1_281_167, "cifar10": 50_000, "cifar100": 50_000, "fashion-mnist": 60_000}
STEP, QUICK = 320_000, 2_400_000  # iterations of Caffe's solvers


@dataclass(frozen=True)
class Published:
    """A recipe, and what is known of it.

    Attributes
    ----------
    recipe : Recipe
    source : str
    result : str
        What was published of it; of ours, what was measured.
    data : str
        What it is meant for: a name that `minigrad.data.open_dataset` knows, or "" if that is a
        folder, which only a user can name.
    data_note : str
        What that is, in words, and how it is had.
    pictures : int
        How many of them there are to train on.
    notes : tuple of str
        What our version does otherwise, and cannot do.
    stated : frozenset of str
        The hyperparameters whose values the source states.
    chosen : mapping of str to str
        Those that it is silent about and that are not our defaults, with the reason.
    """

    recipe: Recipe
    source: str
    result: str
    data: str
    data_note: str
    pictures: int
    notes: tuple[str, ...] = ()
    stated: frozenset[str] = frozenset()
    chosen: Mapping[str, str] = field(default_factory=dict)

    def origin(self, name: str) -> str:
        """Say where a value is from: "published", "default", or "chosen: " and why."""
        if name in self.stated:
            return "published"
        return f"chosen: {self.chosen[name]}" if name in self.chosen else "default"


def _published(
    name: str, source: str, result: str, data: str, data_note: str, *notes: str,
    stated: Mapping[str, object], chosen: Mapping[str, tuple[object, str]],
) -> Published:  # fmt: skip
    values = {**stated, **{option: value for option, (value, _) in chosen.items()}}
    why = {option: reason for option, (_, reason) in chosen.items()}
    recipe = Recipe(name=name, **values)  # type: ignore[arg-type]
    count = PICTURES[data]
    return Published(recipe, source, result, data, data_note, count, notes, frozenset(stated), why)


_IMAGENET = (
    "ImageNet (ILSVRC 2012): a folder with train/<class>/ and val/<class>/, from image-net.org, "
    "where one has to register"
)
_CIFAR10 = "CIFAR-10: 50,000 and 10,000 colour pictures of 32×32 in 10 classes"
_CIFAR100 = "CIFAR-100: 50,000 and 10,000 colour pictures of 32×32 in 100 classes"

_OF_CAFFE = {
    "dialect": "paper", "aux_heads": True, "aux_weight": 0.3, "dropout": 0.4, "aux_dropout": 0.7,
    "init": "xavier", "image_size": 224, "normalization": "mean", "optimizer": "sgd", "lr": 0.01,
    "momentum": 0.9, "weight_decay": 2e-4, "batch_size": 32, "bias_lr": 2.0,
    "bias_weight_decay": 0.0, "flip": True, "label_smoothing": 0.0, "warmup": 0.0, "epochs": 60,
}  # fmt: skip
_CAFFES_CROP = {
    "crop": ((224 / 256) ** 2, "stands for Caffe's crop of 224×224 out of 256×256"),
    "aspect": ((1.0, 1.0), "Caffe's crops are squares"),
}
_CROP_NOTE = (
    "Caffe resizes pictures to 256×256, whatever their proportions, and crops 224×224 at random; "
    "here square crops of the same share of the area, and larger ones, are resized to 224×224."
)
_STEPS_NOTE = (
    "The schedule counts iterations of 32 pictures of ImageNet: 320,000 of them are 8 epochs. On "
    "other data: --set schedule_unit=epochs --set step_size=8."
)

RECIPES: dict[str, Published] = {
    "default": Published(
        Recipe(),
        "ours: what brings the paper's network to 0.86 in two minutes on two cores",
        "test accuracy 0.8650 on the embedded pictures (12 epochs, seed 0)",
        "embedded",
        "5,000 and 1,000 embedded pictures of Fashion-MNIST, 28×28, grey",
        5000,
        (
            "Adam, smoothed labels and He's first weights, since without batch normalisation the "
            "paper's SGD needs many more epochs than these.",
            "On a folder of pictures image_size is 64, and batch_size and epochs suit its size.",
        ),
    ),
    "paper": _published(
        "paper", PAPER,
        "top-5 error on ILSVRC 2014: 10.07 % (1 model, 1 crop), 6.67 % (7 models, 144 crops each)",
        "", _IMAGENET,
        "Asynchronous SGD on many machines (DistBelief) became plain SGD on one: steps are taken "
        "one after the other, none with gradients of older weights.",
        "Of the photometric distortions (“of Andrew Howard”) it tells no strengths: those of "
        "Howard, 2013, are taken, with the lighting of Krizhevsky.",
        "The paper says that learning rate, batch size and more changed from model to model; where "
        "it gives no number, Caffe's stands, which was made to reproduce it.",
        stated={
            "dialect": "paper", "aux_heads": True, "aux_weight": 0.3, "dropout": 0.4,
            "aux_dropout": 0.7, "image_size": 224, "normalization": "mean", "flip": True,
            "crop": 0.08, "aspect": (3 / 4, 4 / 3), "interpolation": "random",
            "photometric": "paper", "optimizer": "sgd", "momentum": 0.9, "schedule": "step",
            "schedule_unit": "epochs", "step_size": 8.0, "gamma": 0.96, "average": "mean",
        },
        chosen={
            "lr": (0.01, "Caffe's"),
            "batch_size": (32, "Caffe's"),
            "weight_decay": (2e-4, "Caffe's"),
            "epochs": (60, "Caffe's"),
            "init": ("xavier", "Caffe's"),
            "average_start": (0.5, "a mean from the first step on has the first weights in it"),
            "label_smoothing": (0.0, "it came with Inception v3"),
            "warmup": (0.0, "not mentioned"),
        },
    ),
    "caffe": _published(
        "caffe", CAFFE,
        "68.7 % top-1, 88.9 % top-5 (ILSVRC 2012 validation, centre crop, 60 epochs)",
        "", _IMAGENET, _CROP_NOTE, _STEPS_NOTE,
        stated={
            **_OF_CAFFE, "schedule": "step", "schedule_unit": "steps", "step_size": float(STEP),
            "gamma": 0.96,
        },
        chosen=_CAFFES_CROP,
    ),
    "caffe-quick": _published(
        "caffe-quick", CAFFE.replace("solver.", "quick_solver."),
        "the same 68.7 % top-1, 88.9 % top-5 are its model's",
        "", _IMAGENET, _CROP_NOTE,
        "The power counts 2,400,000 iterations of 32 pictures: 60 epochs of ImageNet. On other "
        "data: --set schedule_length=0, the whole training.",
        stated={
            **_OF_CAFFE, "schedule": "poly", "schedule_unit": "steps",
            "schedule_length": float(QUICK), "power": 0.5,
        },
        chosen=_CAFFES_CROP,
    ),
    "keras-cifar10": _published(
        "keras-cifar10", "a port of the paper's network to Keras, trained on CIFAR-10",
        "validation accuracy 0.8191 (main), 0.7435 and 0.7791 (heads) after 25 epochs; "
        "0.10 after 1, 0.26 after 3, 0.39 after 5",
        "cifar10", _CIFAR10,
        "It falls at epochs 7, 15 and 23: its schedule is 0.01 · 0.96^⌊(1 + epoch) / 8⌋, where the "
        "first epoch is 0.",
        stated={
            "dialect": "paper", "aux_heads": True, "aux_weight": 0.3, "dropout": 0.4,
            "aux_dropout": 0.7, "init": "xavier", "image_size": 224, "normalization": "scale",
            "optimizer": "sgd", "lr": 0.01, "momentum": 0.9, "batch_size": 256, "epochs": 25,
            "schedule": "step", "schedule_unit": "epochs", "step_size": 8.0, "step_offset": 1.0,
            "gamma": 0.96,
        },
        chosen={
            "flip": (False, "no augmentation is mentioned"),
            "label_smoothing": (0.0, "not mentioned"),
            "warmup": (0.0, "not mentioned"),
        },
    ),
    "pytorch-cifar": _published(
        "pytorch-cifar", "a PyTorch study of variants on CIFAR-10 and CIFAR-100",
        "top-1 error of googlenet 0.10 on CIFAR-10 and 0.34 on CIFAR-100 (naive 0.15, 0.36; short "
        "and short2 0.10, 0.32), in 28 min 45 s",
        "cifar10", _CIFAR10 + "; or CIFAR-100: --data cifar100",
        "Its variants are had by --set variant=short2.",
        stated={
            "dialect": "cifar", "image_size": 32, "normalization": "half", "flip": True,
            "optimizer": "adadelta", "lr": 1.0, "batch_size": 64, "epochs": 14,
            "schedule": "step", "schedule_unit": "epochs", "step_size": 1.0, "gamma": 0.7,
        },
        chosen={
            "init": ("default", "the framework's"),
            "eps": (1e-6, "the framework's for Adadelta"),
            "label_smoothing": (0.0, "not mentioned"),
            "warmup": (0.0, "not mentioned"),
        },
    ),
    "cifar100": _published(
        "cifar100", "weiaicunzai/pytorch-cifar100",
        "21.97 % top-1 error on CIFAR-100 after 200 epochs",
        "cifar100", _CIFAR100,
        "Its pictures are also turned by up to 15°, which is not done here.",
        stated={
            "dialect": "cifar", "optimizer": "sgd", "lr": 0.1, "momentum": 0.9,
            "weight_decay": 5e-4, "batch_size": 128, "epochs": 200, "schedule": "multistep",
            "schedule_unit": "epochs", "milestones": (60.0, 120.0, 160.0), "gamma": 0.2,
            "warmup_epochs": 1.0, "warmup": 0.0,
        },
        chosen={
            "image_size": (32, "the pictures' own"),
            "flip": (True, "usual on CIFAR"),
            "pad": (4, "usual on CIFAR: a random crop of the picture with 4 zeros around it"),
            "init": ("default", "the framework's"),
            "label_smoothing": (0.0, "not mentioned"),
        },
    ),
    "inception-v3": _published(
        "inception-v3", V3,
        "top-1 error 21.2 %, top-5 5.6 % (ILSVRC 2012 validation, 1 model, 1 crop); 17.3 %, 3.5 % "
        "(4 models, many crops)",
        "", _IMAGENET,
        "50 replicas with 32 pictures each became the 50 batches of one step, 1,600 pictures. On "
        "less data that is few steps: --set accumulate=1 --lr 0.0009, a fiftieth of the rate.",
        "Its RMSProp is TensorFlow's, which has eps below the root, √(s + 1); here it is outside, "
        "√s + 1, as in PyTorch: steps are up to √2 times shorter.",
        "The threshold of the clipping is taken for that of the norm of all gradients together.",
        "The paper says neither how heads, weights and pictures begin nor how weights decay; where "
        "TensorFlow's own model or torchvision's does, theirs stands.",
        stated={
            "architecture": "inception-v3", "aux_heads": True, "image_size": 299,
            "optimizer": "rmsprop", "alpha": 0.9, "eps": 1.0, "clip_grad_norm": 2.0, "lr": 0.045,
            "schedule": "step", "schedule_unit": "epochs", "step_size": 2.0, "gamma": 0.94,
            "batch_size": 32, "epochs": 100, "label_smoothing": 0.1, "average": "ema",
        },
        chosen={
            "accumulate": (50, "the paper's 50 replicas"),
            "aux_weight": (0.4, "TensorFlow's and torchvision's"),
            "dropout": (0.5, "torchvision's"),
            "init": ("inception", "torchvision's"),
            "momentum": (0.9, "TensorFlow's"),
            "weight_decay": (4e-5, "TensorFlow's"),
            "bias_weight_decay": (0.0, "TensorFlow's"),
            "average_decay": (0.9999, "TensorFlow's"),
            "normalization": ("half", "TensorFlow's"),
            "crop": (0.08, "that of GoogLeNet's paper"),
            "warmup": (0.0, "not mentioned"),
        },
    ),
    "fashion-mnist": _published(
        "fashion-mnist",
        "Fashion-MNIST's own list of results, and a textbook (“Dive into deep learning”)",
        "test accuracy 0.937 for a GoogLeNet, without its recipe",
        "fashion-mnist", "Fashion-MNIST: 60,000 and 10,000 grey pictures of clothes, 28×28",
        "Only the result and the size of 96 pixels are published; all else is our default recipe.",
        stated={"image_size": 96},
        chosen={},
    ),
}  # fmt: skip


def differences(recipe: Recipe) -> list[str]:
    """Name the hyperparameters in which a recipe is not the named one that it began as.

    Examples
    --------
    >>> from dataclasses import replace
    >>> differences(replace(RECIPES["caffe"].recipe, lr=0.02))
    ['lr']
    """
    base = RECIPES[recipe.name].recipe if recipe.name in RECIPES else replace(Recipe())
    return [name for name in names() if getattr(recipe, name) != getattr(base, name)]
