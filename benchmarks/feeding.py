"""A loader that reads photographs beside the step that learns from them, at 224 pixels.

First, how much slower a training step is while the loader works beside it than with a batch that
was ready before. On a CPU the two share the cores: what decoding takes, the step cannot have, so
the table also says what share of the cores that is. Then how many photographs a second the loader
prepares when it has the cores for itself, which must be more than the step takes.

PyTorch's side does the same with its own loader, whose workers are processes, and Pillow: decode,
random crop, resize, mirror half, normalise.
"""

import os
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import minigrad
from benchmarks import peers
from benchmarks.options import Options
from benchmarks.peers import CHANNELS_LAST, MISSING, OURS, agree, torch
from benchmarks.pictures import photograph
from benchmarks.report import TIMED, Column, Table, decimals, milliseconds, quartiles
from benchmarks.timing import Spread, alternate, ratio
from googlenet import GoogLeNet, architecture
from googlenet.model import loss
from minigrad import optim
from minigrad.data import (
    CenterCrop,
    Compose,
    DataLoader,
    ImageFolder,
    Normalize,
    RandomHorizontalFlip,
    RandomResizedCrop,
    Resize,
)

SIZE, WORKERS = 224, (1, 2)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
RATE, MOMENTUM = 1e-4, 0.9
CROP = RandomResizedCrop(SIZE)
TRAINING = Compose([CROP, RandomHorizontalFlip(), Normalize(MEAN, STD)])
IN_USE = Compose([Resize(256), CenterCrop(SIZE), Normalize(MEAN, STD)])

BESIDE = (
    Column("side", "side, workers"),
    Column("alone", "batch ready: ms, median", milliseconds),
    Column("alone", "middle half", quartiles),
    Column("beside", "loader beside: ms, median", milliseconds),
    Column("beside", "middle half", quartiles),
    Column("slower", "slower by", lambda share: f"{100 * share:+.1f} %"),
    Column("share", "decoding's share of the cores", lambda share: f"{100 * share:.1f} %"),
)
LOADERS = (
    Column("side", "side, workers"), Column("rate", "pictures/s", decimals(0)),
    Column("need", "times what the step takes", decimals(1)), *TIMED[1:],
)  # fmt: skip


class TorchPhotographs:
    """The same files as a dataset for PyTorch, transforms included."""

    def __init__(self, folder: ImageFolder, at_random: bool = True) -> None:
        self.folder, self.at_random = folder, at_random
        self.rng = np.random.default_rng(0)
        self.mean, self.std = (torch.tensor(values)[:, None, None] for values in (MEAN, STD))

    def __len__(self) -> int:
        return len(self.folder)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        image = Image.open(self.folder.root / self.folder.files[index]).convert("RGB")
        if self.at_random:
            top, left, height, width = CROP.window(image.height, image.width, self.rng)
            image = image.crop((left, top, left + width, top + height))
            image = image.resize((SIZE, SIZE), Image.Resampling.BILINEAR)
            if self.rng.random() < 0.5:
                image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        else:
            longer = 256 * max(image.size) // min(image.size)
            image = image.resize((longer, 256), Image.Resampling.BILINEAR)
            left, top = round((longer - SIZE) / 2), (256 - SIZE) // 2
            image = image.crop((left, top, left + SIZE, top + SIZE))
        x = torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()
        x = x.to(torch.float32).div_(255)
        return x.sub_(self.mean).div_(self.std), int(self.folder.labels[index])


def tables(options: Options) -> Iterator[Table]:
    """Yield two tables: the step with and without the loader beside it; the loader by itself."""
    batch = 2 if options.quick else 32
    with tempfile.TemporaryDirectory() as root:
        folder = files(Path(root), batch)
        if torch:
            check(folder, batch)
        step = Table(
            "feeding/step", f"A training step, batch {batch}, and the loader beside it", BESIDE
        )
        step.notes = [
            f"GoogLeNet at {SIZE} pixels, float32, SGD with momentum {MOMENTUM}; JPEGs of 500×375. "
            "Each side's steps in turns; the loader has come to rest before each. Decoding's "
            "share: its processor time over that of all cores during a step; no machine that is "
            "fully used could lose less."
        ]
        step.notes += [] if torch else [MISSING]
        cost = processor_seconds(folder) * batch
        for name, (train, loader) in sides(folder, batch).items():
            alone, beside = in_turns(train, loader, options.turns(9))
            cores = len(os.sched_getaffinity(0))
            step.rows.append({
                "side": name, "alone": alone, "beside": beside,
                "slower": beside.median / alone.median - 1,
                "share": cost / (cores * alone.median),
            })  # fmt: skip
        yield step
        yield loading(folder, batch, batch / step.rows[0]["alone"].median, options)


def files(root: Path, batch: int) -> ImageFolder:
    """Write photographs, and return a folder in which each stands for eight."""
    rng = np.random.default_rng(0)
    (root / "class").mkdir()
    for i in range(2 * batch):
        photograph(375, 500, rng).save(root / "class" / f"{i:03}.jpg", quality=90)
    folder = ImageFolder(root)
    return folder.subset(list(range(len(folder))) * 8)


def processor_seconds(folder: ImageFolder) -> float:
    """Measure what a photograph costs, on one core."""
    rng = np.random.default_rng(0)

    def walk() -> None:
        for index in range(8):
            TRAINING(folder[index][0], rng)

    return alternate({"walk": walk}, 9, clock=time.process_time)["walk"].median / 8


def check(folder: ImageFolder, batch: int) -> None:
    """Hold the first batch of both sides against each other, cropped from the middle."""
    ours, _ = next(iter(DataLoader(folder, batch, transform=IN_USE)))
    theirs, _ = next(iter(torch.utils.data.DataLoader(TorchPhotographs(folder, False), batch)))
    agree("feeding, photographs", ours.data, theirs.numpy())


# -- a step, and the loader beside it --------------------------------------------------------------


def sides(folder: ImageFolder, batch: int) -> dict[str, tuple[Callable[..., object], Any]]:
    """Make the step and the loader of each side."""
    minigrad.manual_seed(0)
    net = GoogLeNet(dropout=0.0, aux_dropout=0.0)
    step = our_step(net)
    made = {f"{OURS}, {count}": (step, our_loader(folder, batch, count)) for count in WORKERS}
    if torch:
        most = max(WORKERS)
        made[f"{CHANNELS_LAST}, {most}"] = their_step(net), their_loader(folder, batch, most)
    return made


def our_step(net: GoogLeNet) -> Callable[..., object]:
    optimizer = optim.SGD(net.parameters(), RATE, MOMENTUM)

    def step(images: Any, labels: Any) -> None:
        net.zero_grad()
        loss(net(images), labels)[0].backward()
        optimizer.step()

    return step


def their_step(net: GoogLeNet) -> Callable[..., object]:
    layout = torch.channels_last
    peer = peers.build(net, layout)
    optimizer = torch.optim.SGD(peer.parameters(), RATE, momentum=MOMENTUM, fused=True)

    def step(images: Any, labels: Any) -> None:
        entropy = torch.nn.functional.cross_entropy
        parts = [
            entropy(logits, labels) for logits in peer(images.to(memory_format=layout))
        ]  # the main head first
        peer.zero_grad()
        (parts[0] + architecture.AUX_WEIGHT * (parts[1] + parts[2])).backward()
        optimizer.step()

    return step


def our_loader(folder: ImageFolder, batch: int, workers: int) -> DataLoader:
    return DataLoader(folder, batch, shuffle=True, transform=TRAINING, workers=workers)


def their_loader(folder: ImageFolder, batch: int, workers: int) -> Any:
    return torch.utils.data.DataLoader(
        TorchPhotographs(folder), batch, shuffle=True, num_workers=workers,
        persistent_workers=True,
    )  # fmt: skip


def in_turns(train: Callable[..., object], loader: Any, rounds: int) -> tuple[Spread, Spread]:
    """Time steps with a batch that was ready, and with the next of a loader; waiting included."""
    batches = endless(loader)
    ready = next(batches)
    train(*ready)
    alone, beside = [], []
    for _ in range(rounds):
        settle()
        started = time.perf_counter()
        train(*ready)
        alone.append(time.perf_counter() - started)
        settle()
        started = time.perf_counter()
        train(*next(batches))  # which lets the loader prepare another, beside the step
        beside.append(time.perf_counter() - started)
    batches.close()
    return Spread.of(alone), Spread.of(beside)


def endless(loader: Any) -> Iterator[Any]:
    while True:
        yield from loader


def settle() -> None:
    """Wait until the loader, in threads or processes, has as many batches ahead as it may have."""
    time.sleep(0.5)


# -- the loader by itself --------------------------------------------------------------------------


def loading(folder: ImageFolder, batch: int, need: float, options: Options) -> Table:
    """Return the table of whole epochs of which nobody uses the batches."""
    title = f"The loader alone: an epoch of {len(folder)} photographs, batches of {batch}"
    table = Table("feeding/loader", title, LOADERS)
    table.notes = [
        f"JPEGs of 500×375, random crops to {SIZE}, half of them mirrored, normalised. The step "
        f"above takes {need:.1f} photographs a second."
    ]
    steps: dict[str, Any] = {}
    for workers in WORKERS:
        steps[f"{OURS}, {workers}"] = epoch(our_loader(folder, batch, workers))
        if torch:
            steps[f"PyTorch, {workers}"] = epoch(their_loader(folder, batch, workers))
    spreads = alternate(steps, options.turns(7))
    for name, spread in spreads.items():
        mine = spreads[f"{OURS}, {name.split(', ')[1]}"]
        rate = len(folder) / spread.median
        table.rows.append({
            "side": name, "rate": rate, "need": rate / need, "times": spread,
            "ratio": None if name.startswith(OURS) else ratio(mine, spread),
        })  # fmt: skip
    return table


def epoch(loader: Any) -> Callable[[], object]:
    return lambda: deque(loader, maxlen=0)
