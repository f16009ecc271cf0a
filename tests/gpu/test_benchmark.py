"""The sections of the GPU, run on CuPy's stand-in beside PyTorch on the CPU.

Steps compute what they should, on both sides and in every precision; tables are whole, and so is
the arithmetic on their numbers. Times mean nothing here.
"""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

import minigrad
from benchmarks import __main__ as command
from benchmarks import gpu, other_layers, peers, shapes
from benchmarks.gpu import inference, layers, networks, rates, training, turns
from benchmarks.gpu.precision import PRECISIONS
from benchmarks.options import Options
from benchmarks.peers import CHANNELS_LAST, EAGER, OURS, DisagreementError
from benchmarks.timing import Spread
from googlenet import GoogLeNet
from tests.gpu import host, standin

RECORDED = networks.RECORDED
needs_compiler = pytest.mark.skipif(host.COMPILER is None, reason="no C++ compiler")


@pytest.fixture
def small(monkeypatch):
    """Let the stand-in be the GPU, PyTorch compute on the CPU, and everything be small."""
    pytest.importorskip("torch")
    torch = peers.torch
    monkeypatch.setattr(gpu, "PEER", "cpu")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for name in ("synchronize", "reset_peak_memory_stats", "empty_cache"):
        monkeypatch.setattr(torch.cuda, name, lambda: None)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: 3 << 20)
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda: 4 << 20)
    tiny = partial(GoogLeNet, 5, in_channels=1, image_size=32)
    monkeypatch.setattr(training, "GoogLeNet", tiny)
    monkeypatch.setattr(shapes, "layers", few_layers)
    monkeypatch.setattr(turns, "FIRST", 1)
    monkeypatch.setattr(networks, "forget", lambda: None)  # collecting garbage takes long
    with standin.installed():
        yield
    torch.set_num_threads(threads)


def few_layers(batch):
    """Yield one layer of each kind, and two of one shape."""
    yield "conv1", shapes.ConvShape(batch, 3, 9, 4, 7, 2, 3)
    yield "a.conv", shapes.ConvShape(batch, 4, 5, 6, 3, 1, 1)
    yield "b.conv", shapes.ConvShape(batch, 4, 5, 6, 3, 1, 1)
    yield "reduce", shapes.ConvShape(batch, 6, 5, 2, 1)
    yield "pool", shapes.PoolShape(batch, 4, 6, "max", 3, 2, 0, True)
    yield "aux.pool", shapes.PoolShape(batch, 4, 6, "average", 5, 3)
    yield "global", shapes.PoolShape(batch, 4, 6, "global", 6, 1)
    yield "norm", shapes.LRNShape(batch, 7, 5)
    yield "concat", shapes.ConcatShape(batch, (2, 3), 5)
    yield "fc", shapes.LinearShape(batch, 6, 5)


def options(*names, **more):
    more = {"quick": True, "rounds": 1, "asked_batch": 2, **more}
    return Options(precisions=names, **more)


def sides(make, name, batch=2):
    minigrad.manual_seed(0)
    makers = make(training.GoogLeNet(dropout=0.0, aux_dropout=0.0), batch, PRECISIONS[name])
    return {side: made() for side, made in makers.items() if side != RECORDED}


@needs_compiler
@pytest.mark.parametrize("name", PRECISIONS)
@pytest.mark.parametrize("kind", ["training", "inference"])
def test_both_sides_compute_the_same(small, kind, name):
    with PRECISIONS[name].applied():
        made = sides(getattr(networks, kind), name)
        peers_ = [CHANNELS_LAST] if PRECISIONS[name].is_mixed else [EAGER, CHANNELS_LAST]
        assert list(made) == [OURS, *peers_]
        networks.check(kind, made, PRECISIONS[name])
        if (kind, name) == ("training", "float16"):
            for side in made.values():  # to compare results has trained nothing, a step does
                before, _ = side.result()
                side.step()
                assert not np.array_equal(side.result()[0], before)


# -- arithmetic ----------------------------------------------------------------------------------


@pytest.fixture
def timed(monkeypatch):
    """Let every side take a time of its own, and its results be what is given here."""
    seconds = {OURS: 0.2, RECORDED: 0.1, EAGER: 0.4, CHANNELS_LAST: 0.3}

    def alternate(steps, rounds, **_):
        assert rounds == 3
        return {name: Spread(*[seconds[name]] * 5, 3) for name in steps}

    def makers(net, batch, precision):
        result = (np.ones(2, np.float32),)
        return {name: lambda: networks.Side(lambda: None, lambda: result) for name in seconds}

    monkeypatch.setattr(training, "alternate", alternate)
    monkeypatch.setattr(training, "GoogLeNet", lambda **_: None)
    monkeypatch.setattr(networks, "training", makers)
    monkeypatch.setattr(networks, "inference", makers)
    monkeypatch.setattr(networks, "memory", lambda name, make: networks.Memory(3 << 20, 5 << 20))
    return seconds


def test_rows_of_training(small, timed):
    (table,) = training.tables(options("float16", rounds=3, asked_batch=8))
    assert table.name == "gpu-training/float16"
    assert [row["side"] for row in table.rows] == list(timed)
    assert [row["rate"] for row in table.rows] == pytest.approx([40, 80, 20, 8 / 0.3])
    assert [row.get("ratio") for row in table.rows] == [None, None, 2.0, pytest.approx(1.5)]
    assert [row.get("recorded") for row in table.rows] == [None, None, 4.0, pytest.approx(3)]
    assert [row.get("used") for row in table.rows] == [3, None, 3, 3]
    assert [row.get("held") for row in table.rows] == [5, None, 5, 5]
    assert all(len(cells) == len(table.columns) for cells in table.cells())
    assert "no GPU: 2 multiprocessors" in table.notes[0]


def test_rows_of_inference(small, timed):
    tables = list(inference.tables(options(rounds=3, asked_batch=None, quick=False)))
    assert [table.name for table in tables] == [f"gpu-inference/{name}" for name in PRECISIONS]
    assert [row["batch"] for row in tables[0].rows] == [32] * 4 + [128] * 4 + [256] * 4
    assert all("used" not in row for row in tables[0].rows)


def test_sides_that_differ_are_not_timed(small, timed):
    ones = networks.Side(lambda: None, lambda: (np.ones(2),))
    twos = networks.Side(lambda: None, lambda: (np.full(2, 2.0),))
    with pytest.raises(DisagreementError, match="training, batch 8, PyTorch"):
        networks.check("training, batch 8", {OURS: ones, EAGER: twos}, PRECISIONS["float32"])


def test_a_batch_that_does_not_fit_is_left_out(small, timed, monkeypatch):
    def full(name, make):
        raise minigrad.DeviceError("cuda: out of memory")

    monkeypatch.setattr(networks, "memory", full)
    (table,) = training.tables(options("tf32", rounds=3))
    assert not table.rows
    assert table.notes[-1] == "Batch 2 is left out: cuda: out of memory"


def test_the_most_memory_in_use_is_remembered(small):
    hook = networks.watch(100)
    for change, size in (("malloc", 50), ("free", 120), ("malloc", 30), ("malloc", 80)):
        getattr(hook, f"{change}_postprocess")(size=1, mem_size=size, mem_ptr=0)
    assert (hook.now, hook.most) == (140, 150)


def test_turns_queue_many_steps_and_wait_once():
    now, said = [0.0], []

    def step(name, seconds):
        def asked():
            now[0] += seconds
            said.append(name)

        return asked

    steps = {"a": step("a", 0.5), "b": step("b", 0.125)}
    found = turns.alternate(
        steps, 2, (0.5, 1.0), wait=lambda side: said.append(f"wait {side}"), clock=lambda: now[0]
    )
    once = ["a", "wait a", "a", "a", "wait a", *["b"] * 4, "wait b", *["b"] * 8, "wait b"]
    first = [*["a", "wait a"] * turns.FIRST, *["b", "wait b"] * turns.FIRST]
    assert said == [*first, *once, *once]
    assert found == {"a": Spread(*[0.5] * 5, 2), "b": Spread(*[0.125] * 5, 2)}


# -- rates and layers ----------------------------------------------------------------------------


@needs_compiler
def test_rates(small):
    (table,) = rates.tables(options("float32", "bfloat16"))
    what = {
        "matrix product, float32, TF32 off",
        "matrix product, mixed precision, bfloat16",
        "copy",
    }
    assert {row["what"] for row in table.rows} == what
    assert [row["side"] for row in table.rows] == [OURS, EAGER] * 3
    for first, second in zip(table.rows[::2], table.rows[1::2], strict=True):
        roof = max(first, second, key=lambda row: row["rate"])
        assert [row.get("roof") for row in (first, second)].count("the roof") == 1
        assert roof["roof"] == "the roof"


def test_a_rate_is_work_over_time():
    spreads = {OURS: Spread(*[0.5] * 5, 1), EAGER: Spread(*[0.25] * 5, 1)}
    ours, theirs = rates.best("copy", "1 MiB", "GB/s", 100, spreads)
    assert (ours["rate"], theirs["rate"]) == (200, 400)
    assert "roof" not in ours


def test_versions_of_cuda():
    assert [rates._version(n) for n in (12040, 13000, 11080)] == ["12.4", "13.0", "11.8"]


@needs_compiler
@pytest.mark.parametrize("name", ["float32", "bfloat16"])
def test_layers(small, name, monkeypatch):
    asked = options(name, quick=False)
    monkeypatch.setattr(rates, "SIZES", (64, 1 << 16))
    monkeypatch.setattr(other_layers, "LARGE", 5)
    asked.done["gpu-rates"] = next(rates.tables(asked)).rows
    tables = list(layers.tables(asked))
    kinds = ["forward", "input gradient", "weight gradient", "others", "behind"]
    assert [table.name for table in tables] == [f"gpu-layers/{name}/{kind}" for kind in kinds]
    for table, count in zip(tables[:3], (3, 2, 3), strict=True):  # nobody wants that of the images
        *rows, summed = table.rows
        assert [row["count"] for row in rows] == [1, 2, 1][-count:]
        assert summed["count"] == sum(row["count"] for row in rows)
        assert all({"share", "rate", "peer", "ratio"} <= set(row) for row in rows)
    passes = {(row["shape"].split()[0], row["pass"]) for row in tables[3].rows}
    forward = {"max", "average", "global", "LRN", "concat", "linear", "dropout", "ReLU"}
    assert {kind for kind, what in passes if what == "forward"} == {*forward, "cross-entropy"}
    assert {row["share"] > 0 for row in tables[3].rows} == {True}
    assert tables[4].title.startswith("On a GPU, ")


@needs_compiler
def test_a_few_examples_are_sent_and_repeated(small):
    images = other_layers.drawn(0, (20, 2, 3, 3))
    assert len(np.unique(images)) == 8 * 2 * 3 * 3
    place, plain = other_layers.Place("cuda", "cpu"), peers.torch.contiguous_format
    np.testing.assert_array_equal(place.ours(images).cpu().data, images)
    np.testing.assert_array_equal(place.theirs(images, plain).numpy(), images)
    weight = np.arange(20.0).reshape(10, 2)  # of a layer: each number counts
    np.testing.assert_array_equal(place.ours(weight, False).cpu().data, weight)
    np.testing.assert_array_equal(place.theirs(weight, plain, False).numpy(), weight)


def test_sixteen_bits_move_half_the_bytes(small):
    layer = SimpleNamespace(name="a pool", count=2, bytes={"forward": 100}, flop={})
    spreads = {OURS: Spread(*[0.5] * 5, 1)}
    row = layers.other_row(layer, "forward", spreads, 0.5, bytes_=400)
    assert (row["bytes"], row["rate"], row["share"]) == (50, 100, 0.25)


# -- the command ---------------------------------------------------------------------------------


def test_parts_of_the_section():
    parts = ["gpu-rates", "gpu-training", "gpu-inference", "gpu-layers"]
    assert command.chosen(("gpu",)) == parts
    assert command.chosen(("gpu-layers",)) == ["gpu-rates", "gpu-layers"]
    assert command.chosen(("gpu-training",)) == ["gpu-training"]
    assert tuple(PRECISIONS) == command.PRECISIONS


def test_without_a_gpu():
    if minigrad.cuda.is_available():
        pytest.skip("there is one")
    for section in (rates, training, inference, layers):
        (table,) = section.tables(options())
        assert not table.rows
        assert "No GPU here" in table.notes[0]
        after = options(done={"gpu-rates": []})
        assert list(section.tables(after)) == []  # it was said
