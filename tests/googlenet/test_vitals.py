"""What is recorded while a network is trained: right, bounded, kept, and without any trace."""

import json
import math

import numpy as np
import pytest

import minigrad
from googlenet import vitals as module
from googlenet.model import GoogLeNet, loss
from googlenet.probe import PER_STAGE, Seen, look_inside
from googlenet.recipes import Recipe
from googlenet.run_folder import RunFolder, network
from googlenet.train import Training
from googlenet.vitals import VITALS, Recorder, interval, read_vitals
from minigrad import checkpoint
from minigrad import functional as F
from minigrad.data import ArrayDataset
from tests.googlenet.test_resume import CONFIG, StopAfter
from tests.googlenet.tiny import tiny  # noqa: F401 (a fixture)

pytestmark = pytest.mark.usefixtures("tiny")


def pictures(count=40, seed=0, classes="abc"):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, 1, 28, 28), dtype=np.uint8)
    return ArrayDataset(images, rng.integers(0, len(classes), count), classes)


def training(data=None, **recipe):
    recipe = Recipe(**{"batch_size": 8, "epochs": 3, "seed": 5, **recipe})
    minigrad.manual_seed(recipe.seed)
    data = data or pictures()
    return Training(network(recipe, len(data.classes), 1), recipe, data, data)


@pytest.fixture
def often(monkeypatch):
    """Probe every other step, also in runs that are too short for it."""
    monkeypatch.setattr(module, "BUDGET", module.COST)
    monkeypatch.setattr(module, "WINDOW", 2)


def silent(kind, text):
    raise AssertionError(text)


def batch(count=6, seed=1):
    rng = np.random.default_rng(seed)
    images = rng.normal(0, 1, (count, 1, 32, 32)).astype(np.float32)
    return minigrad.tensor(images), rng.integers(0, 3, count)


def wide(batch_norm=False, **options):
    """Not so narrow that whole stages are dead by chance, and with weights that let signals by."""
    return GoogLeNet(3, 1, 32, batch_norm=batch_norm, init="he", **options)


# -- a look --------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_norm", [False, True])
def test_gradients_are_those_of_the_whole_network(batch_norm):
    """Against the same network, uncut: the gradient of the first stage's own bias or weights."""
    net = wide(batch_norm)
    images, labels = batch()
    look = look_inside(net, images, labels, 0.1)
    net.train()
    for _, each in net.named_modules():
        if isinstance(each, minigrad.nn.Dropout):
            each.training = False
    for name, chosen in (("gradient", "total"), ("gradient_main", "logits")):
        for place, stage in ((0, "conv1"), (len(net.stages) - 1, net.stages[-1])):
            seen = {}
            inner, forward = getattr(net, stage), getattr(net, stage).forward

            def noted(x, forward=forward, seen=seen):
                out = forward(x)
                # A factor of ones, whose gradient is that of the output, times the output.
                seen["out"] = out.detach()
                seen["one"] = minigrad.tensor(np.ones(out.shape, np.float32), requires_grad=True)
                return out * seen["one"]

            inner.forward = noted
            total, heads = loss(net(images), labels, 0.1)
            (total if chosen == "total" else heads[chosen]).backward()
            del inner.forward
            out = seen["out"].numpy()
            product = seen["one"].grad.numpy()
            gradient = np.divide(product, out, out=np.zeros_like(out), where=out != 0)
            zero = look.stages["zero"][place]
            assert zero is not None
            measured = look.stages[name][place] / math.sqrt(len(labels))
            # Behind ReLU the gradient at zeros is not in the product: it is at most the whole.
            assert np.linalg.norm(gradient) <= measured * (1 + 1e-4)
            assert np.linalg.norm(gradient) >= 0.2 * measured


def test_scales_are_those_of_the_outputs():
    net = wide()
    images, labels = batch()
    look = look_inside(net, images, labels)
    with minigrad.no_grad():
        out = net.conv1(images).numpy()
    assert look.stages["activation"][0] == pytest.approx(np.sqrt((out**2).mean()), rel=1e-5)
    assert look.stages["mean"][0] == pytest.approx(out.mean(), rel=1e-5)
    assert look.stages["zero"][0] == pytest.approx((out == 0).mean(), abs=1e-6)
    assert look.stages["dead"][0] == (out == 0).all((0, 2, 3)).mean()
    assert look.stages["dead"][net.stages.index("pool1")] is None


def test_a_channel_that_is_shut_off_is_dead():
    net = wide()
    before = look_inside(net, *batch()).stages["dead"][0]
    net.conv1.weight.data[1], net.conv1.bias.data[1] = 0, -1
    after = look_inside(net, *batch()).stages["dead"]
    assert after[0] == before + 1 / 4
    net.aux_4a.fc.bias.data[...] = -1e6
    assert look_inside(net, *batch()).heads["aux_4a"]["dead"] == 1.0


def test_a_channel_is_dead_only_if_it_never_speaks():
    seen = Seen([(30, minigrad.tensor([0.0, 0.01, 0.5])), (10, minigrad.tensor([1.0]))])
    zero, dead = seen.shares()
    assert dead == 1 / 4
    assert zero == pytest.approx(1 - (30 * 0.17 + 10) / 40)


def test_behind_the_heads_both_gradients_are_the_same():
    net = wide()
    look = look_inside(net, *batch())
    place = net.stages.index("inception_4d")
    assert look.stages["gradient"][place + 1 :] == look.stages["gradient_main"][place + 1 :]
    assert all(a != b for a, b in zip(look.stages["gradient"][:3], look.stages["gradient_main"][:3],
                                      strict=True))  # fmt: skip
    alone = look_inside(wide(aux_heads=False), *batch())
    assert alone.stages["gradient"] == alone.stages["gradient_main"]
    assert set(alone.heads) == {"logits"}


def test_what_heads_say_is_counted():
    net = wide()
    net.classifier.weight.data[...] = 0
    net.classifier.bias.data[...] = [0, 3, 0]
    seen = look_inside(net, *batch()).heads["logits"]
    images, labels = batch()
    assert seen["classes"] == 1
    assert seen["largest"] == 1
    assert seen["spread"] == 0
    logits = minigrad.tensor(np.tile(np.float32([0, 3, 0]), (6, 1)))
    assert seen["loss"] == pytest.approx(F.cross_entropy(logits, labels).item(), rel=1e-5)


@pytest.mark.parametrize("mode", [True, False])
def test_looking_leaves_no_trace(mode):
    net = wide(batch_norm=True).train(mode)
    total, _ = loss(net.train()(batch()[0]), batch()[1])
    total.backward()
    net.train(mode)
    net.conv2.training = not mode
    before = {name: array.copy() for name, array in net.state_dict().items()}
    gradients = {name: p.grad for name, p in net.named_parameters()}
    kept = {name: g.numpy().copy() for name, g in gradients.items()}
    modes = [m.training for _, m in net.named_modules()]
    drawn, forward = minigrad.random.default.drawn, net.conv1.forward

    def drawing(x):
        minigrad.random.default.next_key()
        return forward(x)

    net.conv1.forward = drawing
    look_inside(net, *batch(seed=7))
    del net.conv1.forward
    assert minigrad.random.default.drawn == drawn
    assert [m.training for _, m in net.named_modules()] == modes
    for name, array in net.state_dict().items():
        np.testing.assert_array_equal(array, before[name], name)
    for name, parameter in net.named_parameters():
        assert parameter.grad is gradients[name]
        assert parameter.requires_grad
        np.testing.assert_array_equal(parameter.grad.numpy(), kept[name], name)
    assert not any("forward" in vars(m) for _, m in net.named_modules())


def test_a_look_that_fails_leaves_no_trace_either():
    net = wide()
    drawn = minigrad.random.default.drawn
    with pytest.raises(ValueError, match="images must"):
        look_inside(net, minigrad.tensor(np.zeros((2, 1, 8, 8), np.float32)), np.zeros(2, int))
    assert all(p.requires_grad for p in net.parameters())
    assert not any("forward" in vars(m) for _, m in net.named_modules())
    assert minigrad.random.default.drawn == drawn


# -- a recorder ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("batch_norm", [False, True])
def test_a_training_that_is_recorded_gives_the_same_numbers(tmp_path, batch_norm):
    """To the bit: weights, running statistics, the optimiser's memories, every figure."""
    plain, watched = training(batch_norm=batch_norm), None
    assert plain.run()
    alone = plain.state_dict()
    arrays = {name: array.copy() for name, array in alone["arrays"].items()}
    figures = [{k: v for k, v in row.items() if "second" not in k} for row in plain.history]
    watched = training(batch_norm=batch_norm)
    recorder = Recorder(tmp_path, watched, silent)
    assert watched.run(recorder)
    assert len(recorder.content["probes"]) >= 5
    beside = watched.state_dict()
    for name, array in beside["arrays"].items():
        np.testing.assert_array_equal(array, arrays[name], name)
    assert [
        {k: v for k, v in row.items() if "second" not in k} for row in watched.history
    ] == figures
    assert beside["values"]["keys"] == alone["values"]["keys"]
    assert beside["values"]["optimizer"] == alone["values"]["optimizer"]


@pytest.mark.usefixtures("often")
def test_what_is_written_can_be_read(tmp_path):
    run = training()
    recorder = Recorder(tmp_path, run, silent)
    run.run(recorder)
    content = read_vitals(tmp_path / VITALS)
    assert content == json.loads(json.dumps(recorder.content))
    assert content["stages"] == run.net.stages
    assert content["pictures"] == {"probe": 16, "training": 40, "test": 40}
    assert sum(point["steps"] for point in content["curve"]) == 15
    assert [point["step"] for point in content["curve"]] == [2, 4, 5, 7, 9, 10, 12, 14, 15]
    means = run.history[0]
    first = [p for p in content["curve"] if p["step"] <= 5]
    weights = [p["steps"] for p in first]
    assert np.average([p["loss"] for p in first], weights=weights) == pytest.approx(
        means["loss"], rel=1e-4
    )
    for row in content["probes"]:
        assert all(len(row[name]) == len(run.net.stages) for name in (*PER_STAGE, "update"))
        assert set(row["heads"]) == {"logits", "aux_4a", "aux_4d"}
        moved = [value for value in row["update"] if value is not None]
        assert all(value > 0 for value in moved)


@pytest.mark.usefixtures("often")
def test_updates_are_those_of_the_weights(tmp_path):
    run = training(epochs=1)
    recorder, weights = Recorder(tmp_path, run, silent), []

    class Note:
        def step(self, images, means, rate):
            weights.append(run.net.conv2.weight.numpy().copy())

        def epoch(self, metrics):
            pass

    run.run(recorder, Note())
    row = recorder.content["probes"][-1]
    new, old = weights[row["step"] - 1], weights[row["step"] - 2]
    place = run.net.stages.index("conv2")
    ratio = np.linalg.norm(new - old) / np.linalg.norm(old)
    assert row["update"][place] == pytest.approx(ratio, rel=1e-4)  # of so few filters, all


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("steps", [1, 5, 8])
def test_rows_go_on_where_a_run_does(tmp_path, steps):
    whole = training()
    undisturbed = Recorder(tmp_path / "a", whole, silent)
    (tmp_path / "a").mkdir()
    whole.run(undisturbed)
    first = training()
    (tmp_path / "b").mkdir()
    folder = RunFolder.create(tmp_path / "b")
    folder.write_config(first.recipe, **CONFIG)
    folder.training = first
    recorder = Recorder(folder.path, first, silent)
    folder.beside.append(recorder.write)
    first.run(recorder, folder, StopAfter(first, steps))
    (folder.path / VITALS).unlink(missing_ok=True)
    folder.keep()
    written = read_vitals(folder.path / VITALS)  # with the checkpoint, as far as it is
    assert written["probes"] == json.loads(json.dumps(recorder.content["probes"]))
    recorder.step(8, first.means, 0.0)  # a step that is lost: after the checkpoint it was killed
    recorder.content["curve"].append({"step": 99, "steps": 1, "loss": 9.0, "loss_logits": 9})
    recorder.write()
    again = training()
    assert folder.resume(again)
    later = Recorder(folder.path, again, silent)
    again.run(later)
    folder.close()
    rows = {row["step"]: row for row in undisturbed.content["probes"]}
    assert [row["step"] for row in later.content["probes"]] == list(rows)
    for row in later.content["probes"]:
        if row["step"] == steps + 1:  # what weights were before its step is not known any more
            assert set(row["update"]) == {None}
            row = {**row, "update": rows[row["step"]]["update"]}
        assert row == rows[row["step"]]
    points = [point["step"] for point in later.content["curve"]]
    assert points == sorted(set(points))
    assert points[-1] == 15
    assert all(point["loss"] < 9 for point in later.content["curve"])


def test_a_probe_costs_its_share_and_no_more():
    """By the count of pictures, 1.8 for each that a probe looks at: below 2 % of all."""
    for total, batch_size in ((948, 64), (10**5, 256), (405, 8), (900, 16), (12000, 64)):
        pictures_ = min(32, max(16, batch_size // 2))
        every = interval(total, pictures_, batch_size)
        probes = total // every
        assert probes >= 1
        assert probes <= module.MOST_PROBES
        if total > 500:
            assert probes * module.COST * pictures_ < 0.02 * total * batch_size
    assert interval(15, 32, 64) == 0


def test_a_short_run_has_a_curve_and_no_probe(tmp_path):
    run = training()
    recorder = Recorder(tmp_path, run, silent)
    run.run(recorder)
    content = read_vitals(tmp_path / VITALS)
    assert content["probes"] == []
    assert content["guess"]["training"] > 0


def test_the_file_stays_small(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BUDGET", 1e9)
    run = training(epochs=400, batch_size=40)
    recorder = Recorder(tmp_path, run, silent)
    assert len(range(recorder.every, 401, recorder.every)) <= module.MOST_PROBES
    monkeypatch.setattr(module, "MOST_POINTS", 10)
    assert Recorder(tmp_path, run, silent).window == 40


@pytest.mark.usefixtures("often")
def test_recording_that_fails_does_not_end_a_training(tmp_path, monkeypatch):
    said = []
    run = training()
    recorder = Recorder(tmp_path, run, lambda kind, text: said.append((kind, text)))

    def full(path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_json", full)
    assert run.run(recorder)
    assert [kind for kind, _ in said] == ["vitals"]
    assert "No space left" in said[0][1]


@pytest.mark.usefixtures("often")
def test_pictures_that_cannot_be_read_are_passed_over(tmp_path):
    class Damaged(ArrayDataset):
        def __getitem__(self, index):
            if index == 0:
                raise minigrad.data.ImageError("damaged")
            return super().__getitem__(index)

    data = pictures()
    run = training(Damaged(data.images, data.labels, data.classes))
    recorder = Recorder(tmp_path, run, silent)
    images, labels = recorder._read()
    assert len(images) == len(labels) == 15


# -- reading -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recorded(tiny, tmp_path_factory):  # noqa: F811
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BUDGET", module.COST)
        run = training()
        recorder = Recorder(tmp_path_factory.mktemp("recorded"), run, silent)
        run.run(recorder)
    return json.dumps(recorder.content)


@pytest.fixture
def content(recorded):
    return json.loads(recorded)


@pytest.mark.parametrize(
    "damage",
    [
        lambda c: c.pop("stages"),
        lambda c: c.update(stages=["conv1"]),
        lambda c: c.update(stages="conv1"),
        lambda c: c["guess"].update(training="2.3"),
        lambda c: c["pictures"].pop("test"),
        lambda c: c.update(test_shares=[1.0]),
        lambda c: c["probes"][0].pop("dead"),
        lambda c: c["probes"][0]["gradient"].append(1.0),
        lambda c: c["probes"][0].update(zero=["a"] * 18),
        lambda c: c["probes"][0].update(heads=[]),
        lambda c: c["probes"][0]["heads"]["logits"].pop("loss"),
        lambda c: c["probes"].reverse(),
        lambda c: c["curve"][0].pop("loss_logits"),
        lambda c: c["curve"][0].update(loss=None),
        lambda c: c["curve"].append(3),
        lambda c: c.update(probes={}),
        lambda c: c.update(curve=None),
        lambda c: c.update(steps_of_epoch=0),
        lambda c: c.update(classes=True),
        lambda c: c["curve"][0].update(step=1.5),
        lambda c: c["curve"][0].update(steps=0),
    ],
)
def test_a_file_that_is_something_else_is_refused(tmp_path, content, damage):
    damage(content)
    checkpoint.save_json(tmp_path / VITALS, content)
    with pytest.raises(ValueError, match=r"vitals.json' is not what was recorded"):
        read_vitals(tmp_path / VITALS)


@pytest.mark.usefixtures("often")
def test_a_damaged_file_is_said_and_the_run_goes_on(tmp_path):
    (tmp_path / VITALS).write_text("{")
    said, run = [], training()
    recorder = Recorder(tmp_path, run, lambda kind, text: said.append(text))
    assert run.run(recorder)
    assert len(said) == 1
    assert "vitals.json" in said[0]
    assert (tmp_path / VITALS).read_text() == "{"  # left as evidence
