"""The pictures that finished runs are held against: their own test pictures, or others."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from googlenet.classify import Classifier
from googlenet.commands.errors import Usage
from googlenet.evaluation import of_classes
from googlenet.pictures import fingerprint, reading
from googlenet.run_folder import CONFIG, Model, RunFolder
from minigrad.data import DATASETS, Dataset, ImageFolder, open_dataset, read_ground_truth


class Contestant(NamedTuple):
    """A finished run, read and ready to compute."""

    run: Path
    model: Model
    classifier: Classifier

    @property
    def home(self) -> Path:
        """Its folder, also if its file was named."""
        return self.run if self.run.is_dir() else self.run.parent


class Named(NamedTuple):
    """Pictures as a command line names them: paths, or None for what it does not say."""

    data: str | None
    test_data: str | None
    class_names: str | None = None
    ground_truth: str | None = None

    @property
    def nothing(self) -> bool:
        """Whether no pictures are named.

        Raises
        ------
        Usage
            If it is only said what they would show: of a run's own pictures, the run knows that.
        """
        if self.data is not None or self.test_data is not None:
            return False
        for option, value in (
            ("--class-names", self.class_names), ("--ground-truth", self.ground_truth),
        ):  # fmt: skip
            if value is not None:
                raise Usage(f"{option} goes with --data or --test-data: it tells of other pictures")
        return True


class Examined(NamedTuple):
    """The pictures that networks are held against.

    Attributes
    ----------
    datasets : list of Dataset
        For each network the same pictures, read as it needs them.
    description : str
    own : bool
        Whether they are those that the runs were tested on.
    on_error : str
        What to do about one that cannot be read.
    """

    datasets: list[Dataset]
    description: str
    own: bool
    on_error: str


def same_classes(contestants: Sequence[Contestant]) -> None:
    """Refuse networks that do not know the same classes.

    Raises
    ------
    Usage
        Naming two runs and what differs.
    """
    first = contestants[0]
    for other in contestants[1:]:
        ours, theirs = first.model.classes, other.model.classes
        if ours == theirs:
            continue
        if len(ours) != len(theirs):
            raise Usage(
                f"only networks of the same classes can be averaged, but {str(first.run)!r} knows "
                f"{len(ours)} classes and {str(other.run)!r} {len(theirs)}"
            )
        a, b = next(pair for pair in zip(ours, theirs, strict=True) if pair[0] != pair[1])
        raise Usage(
            f"only networks of the same classes can be averaged, but {str(first.run)!r} has the "
            f"class {a!r} where {str(other.run)!r} has {b!r}"
        )


def own(contestants: Sequence[Contestant]) -> Examined:
    """Open the runs' own test pictures, and make sure that they still are.

    Raises
    ------
    ValueError
        If a run does not tell what it was tested on, or the pictures have changed.
    Usage
        If they are not there any more, or the runs were tested on different ones.
    """
    first, *others = contestants
    config = _config(first)
    asked = config["asked"]
    for place in (asked["data"], asked["test_data"]):
        if place not in (None, *DATASETS) and not Path(place).is_dir():
            raise Usage(
                f"the run's pictures were in {place!r}, and that folder is not there any more; if "
                "it was moved, say where it is: --data FOLDER"
            )
    named = Named(asked["data"], asked["test_data"], asked.get("class_names"))
    datasets, description = _open_all(named, contestants)
    of_classes(datasets[0], first.model.classes, f"the data of {str(first.home)!r}")
    found = fingerprint(datasets[0])
    if found != config["fingerprints"].get("test"):
        raise ValueError(
            f"the test pictures are not those that the run {str(first.home)!r} was tested on; "
            "--data or --test-data says that others are meant"
        )
    for other in others:
        # What one run was tested on, another may have been trained on.
        if _config(other)["fingerprints"].get("test") != found:
            raise Usage(
                f"{str(other.run)!r} was tested on other pictures than {str(first.run)!r}: say "
                "with --data or --test-data which are meant"
            )
    return Examined(datasets, description, True, asked.get("on_error") or "raise")


def other(named: Named, contestants: Sequence[Contestant]) -> Examined:
    """Open other pictures, of the classes that the networks know.

    Raises
    ------
    ValueError
        If their classes or channels are not those of the networks.
    """
    datasets, description = _open_all(named, contestants)
    where = repr(named.data or named.test_data)
    of_classes(datasets[0], contestants[0].model.classes, where)
    found = fingerprint(datasets[0])
    known = [contestant.home for contestant in contestants]
    own = all(
        (home / CONFIG).is_file()
        and RunFolder(home).config()["fingerprints"].get("test") == found
        for home in known
    )  # fmt: skip
    return Examined(datasets, description, own, "raise")


def _config(contestant: Contestant) -> dict[str, Any]:
    folder = RunFolder(contestant.home)
    if not (folder.path / CONFIG).is_file():
        raise ValueError(
            f"{str(folder.path)!r} does not tell what it was tested on, for there is no {CONFIG} "
            "in it: give --data or --test-data"
        )
    return folder.config()


def _open_all(named: Named, contestants: Sequence[Contestant]) -> tuple[list[Dataset], str]:
    """Open pictures for each network; networks that read them alike share them."""
    opened: list[tuple[dict[str, Any], Dataset]] = []
    datasets = []
    for contestant in contestants:
        net = contestant.model.net
        how = {} if named.data in DATASETS else reading(net.image_size, net.in_channels)
        shared = next((dataset for known, dataset in opened if known == how), None)
        if shared is None:
            shared, description = _open(named, how, contestant.model.classes)
            opened.append((how, shared))
        # A folder is read in as many channels as the network takes; a picture of it may be damaged.
        if named.data in DATASETS and shared[0][0].shape[0] != net.in_channels:
            raise ValueError(
                f"the pictures of {named.data!r} have {shared[0][0].shape[0]} channels, but the "
                f"network of {str(contestant.run)!r} takes {net.in_channels}"
            )
        datasets.append(shared)
    return datasets, description


def _open(named: Named, how: dict[str, Any], classes: Sequence[str]) -> tuple[Dataset, str]:
    """Open data as ``googlenet train`` does, and return what it tests on; or a whole folder."""
    data, folder, names, truth = named
    if data is not None:
        opened = open_dataset(data, test=folder, names=names, ground_truth=truth, **how)
        return opened.test, opened.description
    assert folder is not None
    if truth is None:
        pictures = ImageFolder(folder, **how, classes=classes, names=names)
    elif names is not None:
        raise ValueError(
            "class names and a ground truth go together with --data, whose folders they name: to "
            "--test-data alone the run's own classes are known"
        )
    else:
        pictures = ImageFolder.of_files(folder, read_ground_truth(truth, classes), classes, **how)
    return pictures, f"{len(pictures)} pictures in {folder!r}"
