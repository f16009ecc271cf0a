"""Networks by name, as commands take them: a dialect with what is changed, or a run's.

``paper``, ``torchvision``, ``cifar:short2``, ``cifar:3a pool 5b``, ``paper+bn``, ``cifar-bn``; and
the networks after GoogLeNet, ``inception-bn`` and ``inception-v3``.
"""

from pathlib import Path
from typing import Any

from googlenet.architecture import DIALECTS, VARIANTS, read_stages
from googlenet.inception import NETWORKS, build
from googlenet.model import GoogLeNet, Network
from googlenet.run_folder import AVERAGED, CONFIG, MODEL, RunFolder, load_model, network

LATER = [name for name in NETWORKS if name != "googlenet"]
SWITCHES = {"+bn": True, "-bn": False}
HOW = (
    f"a dialect ({', '.join(DIALECTS)}), with :VARIANT ({', '.join(VARIANTS)}) or :STAGES behind "
    f"it and +bn or -bn at the end; {' or '.join(LATER)}; or the folder of a run"
)


def named(
    name: str,
    num_classes: int,
    in_channels: int,
    image_size: int | None = None,
    aux_heads: bool = True,
) -> Network:
    """Build a network by its name.

    Parameters
    ----------
    name : str
        See above; or the path of a run, of which classes, channels and size are its own.
    num_classes, in_channels, aux_heads
        As in `Network`.
    image_size : int, optional
        None: as published.

    Raises
    ------
    ValueError
        Naming what a network can be called.

    Examples
    --------
    >>> named("cifar:short2+bn", 10, 3, 32).design.name
    'GoogLeNet, dialect cifar, short2'
    """
    if is_run(name):
        return _of_run(Path(name))
    size: dict[str, Any] = {} if image_size is None else {"image_size": image_size}
    if name in LATER:
        return build(
            name, num_classes=num_classes, in_channels=in_channels, aux_heads=aux_heads, **size
        )
    rest, batch_norm = name, None
    for ending, switch in SWITCHES.items():
        if name.endswith(ending):
            rest, batch_norm = name.removesuffix(ending), switch
    dialect, _, modules = rest.partition(":")
    if dialect not in DIALECTS:
        raise ValueError(f"there is no network {name!r}; it must be {HOW}")
    variant, stages = (modules or "googlenet"), None
    if modules not in VARIANTS and modules:
        variant, stages = "googlenet", stages_named(modules)
    return GoogLeNet(
        num_classes, in_channels, aux_heads=aux_heads,
        batch_norm=batch_norm, dialect=dialect, variant=variant, stages=stages, **size,
    )  # fmt: skip


def is_run(name: str) -> bool:
    """Tell whether a name is the path of a run."""
    path = Path(name)
    return path.name in (MODEL, AVERAGED) or any(
        (path / file).is_file() for file in (CONFIG, MODEL)
    )


def stages_named(text: str) -> str:
    """Return a list of modules: read from a TOML file, if that is what is named."""
    return read_stages(text) if text.endswith(".toml") else text


def _of_run(path: Path) -> Network:
    """Build the network of a run; of one that is not finished, with its first weights."""
    if path.name in (MODEL, AVERAGED) or (path / MODEL).is_file():
        return load_model(path).net
    folder = RunFolder(path)
    config = folder.config()
    channels = int(config["asked"].get("channels") or 1)
    return network(folder.recipe(), len(config["classes"]), channels)
