"""A training step of the default job: what ``googlenet train`` does some thousand times."""

from collections.abc import Callable, Iterator
from typing import Any

import minigrad
from benchmarks import peers
from benchmarks.options import Options
from benchmarks.peers import CHANNELS_LAST, MISSING, OURS, torch
from benchmarks.report import TIMED, Column, Table, decimals
from benchmarks.timing import alternate
from benchmarks.training import check, compile_step, rows
from googlenet import GoogLeNet
from googlenet.recipes import Recipe
from minigrad import optim

COLUMNS = (*TIMED[:1], Column("rate", "images/s", decimals(0)), *TIMED[1:])
CLASSES, CHANNELS = 10, 1


def tables(options: Options) -> Iterator[Table]:
    """Yield one table: the step of each side, with the recipe's own optimiser and dropout."""
    recipe = Recipe()
    batch = 8 if options.quick else recipe.batch_size
    size = f"{CHANNELS}×{recipe.image_size}×{recipe.image_size}"
    title = f"A training step of the default job: {size}, batch {batch}"
    table = Table("job", title, COLUMNS)
    table.notes = [
        "Forward, the loss of the three heads with label smoothing, backward and Adam (PyTorch's "
        "fused), dropout on. Loading is not in it: see loader."
    ]
    if not torch:
        table.notes.append(MISSING)
    check(job_steps(recipe, batch, 0.0, False, []), "job without dropout")
    steps = job_steps(recipe, batch, 1.0, options.compiled, table.notes)
    table.rows = rows(alternate(steps, options.turns(15)), batch, {})
    yield table


def job_steps(
    recipe: Recipe, batch: int, dropout: float, compiled: bool, notes: list[str]
) -> dict[str, Callable[[], Any]]:
    """Make the step of each side; `dropout` scales the recipe's, whose masks the sides draw."""
    minigrad.manual_seed(0)
    net = GoogLeNet(
        CLASSES, CHANNELS, recipe.image_size,
        dropout=dropout * recipe.dropout, aux_dropout=dropout * recipe.aux_dropout,
    )  # fmt: skip
    images, labels = peers.data(net, batch)

    def peer_step(layout: Any, compiled: bool = False) -> Callable[[], Any]:
        peer = peers.build(net, layout)
        adam = torch.optim.Adam(peer.parameters(), recipe.lr, recipe.betas, fused=True)
        smoothing = recipe.label_smoothing
        return peers.training_step(peer, images, labels, layout, adam, smoothing, compiled)

    steps = {name: peer_step(layout) for name, layout in peers.layouts().items()}
    if torch and compiled:
        compile_step(steps, peer_step(peers.layouts()[CHANNELS_LAST], True), batch, notes)
    adam = optim.Adam(net.parameters(), recipe.lr, recipe.betas)
    ours = peers.our_training_step(net, images, labels, adam, recipe.label_smoothing)
    return {OURS: ours, **steps}
