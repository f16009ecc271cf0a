"""Averages of weights: what they are by definition, PyTorch's, and whether they survive a stop."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigrad import checkpoint, nn, optim, tensor

SHAPE = (3, 4, 2, 2)
decays = st.none() | st.sampled_from([0.0, 0.5, 0.9, 0.999]) | st.floats(0, 0.9999)
counts = st.integers(1, 12)
seeds = st.integers(0, 2**32 - 1)


class Net(nn.Module):
    """A parameter of rows, one of columns, a running mean and a counter."""

    def __init__(self, dtype=np.float64):
        self.weight = nn.Parameter(np.zeros(SHAPE, dtype))
        self.turned = nn.Parameter(np.zeros(SHAPE[::-1], dtype).T)
        self.scale = nn.Parameter(np.zeros((), dtype))
        self.mean = nn.Buffer(np.zeros(3, dtype))
        self.count = nn.Buffer(np.zeros((), np.int64))

    def draw(self, rng, count=0):
        """Take a step of training: all numbers change."""
        for t in (self.weight, self.turned, self.scale, self.mean):
            t.data[...] = rng.standard_normal(t.shape)
        self.count.data[...] = count

    def values(self):
        return {name: np.array(array) for name, array in self.state_dict().items()}


def trained(steps, seed=0, dtype=np.float64, **options):
    """Return a network, its average, and what it was at each step."""
    net, rng = Net(dtype), np.random.default_rng(seed)
    average, seen = optim.WeightAverage(net, **options), []
    for step in range(steps):
        net.draw(rng, step)
        average.update()
        seen.append(net.values())
    return net, average, seen


def assert_equal(got, wanted):
    assert got.keys() == wanted.keys()
    for name in got:
        np.testing.assert_array_equal(got[name], wanted[name], name)


@given(count=counts, seed=seeds, decay=decays)
def test_it_is_the_weighted_mean_of_all_networks(count, seed, decay):
    """Σ dⁱ · x[n − i] / Σ dⁱ, by its definition; without a decay the mean."""
    _, average, seen = trained(count, seed, decay=decay)
    weights = np.array([(1.0 if decay is None else decay) ** i for i in range(count)])[::-1]
    for name, got in average.weights().items():
        if name == "count":
            assert got == count - 1  # copied
            assert got.dtype == np.int64
            continue
        each = np.stack([values[name] for values in seen])
        wanted = np.tensordot(weights, each, 1) / weights.sum()
        np.testing.assert_allclose(got, wanted, rtol=1e-10, atol=1e-12)


@given(count=counts, seed=seeds, start=st.integers(0, 14))
def test_a_late_start_passes_over_the_first(count, seed, start):
    _, late, seen = trained(count, seed, start=start)
    assert late.n_averaged == max(0, count - start)
    kept = seen[start:]
    if not kept:
        assert_equal(late.weights(), seen[-1])  # the network's own
        return
    wanted = np.mean([values["weight"] for values in kept], 0)
    np.testing.assert_allclose(late.weights()["weight"], wanted, rtol=1e-12, atol=1e-14)


@given(decay=decays, seed=seeds, dtype=st.sampled_from([np.float32, np.float64]))
def test_of_networks_that_are_the_same_it_is_the_same_to_the_bit(decay, seed, dtype):
    net, average = Net(dtype), None
    net.draw(np.random.default_rng(seed))
    average = optim.WeightAverage(net, decay)
    for _ in range(5):
        average.update()
    assert_equal(average.weights(), net.values())
    assert average.weights()["weight"].dtype == dtype


@given(count=counts, seed=seeds, decay=decays)
def test_it_lies_between_the_networks(count, seed, decay):
    _, average, seen = trained(count, seed, np.float32, decay=decay)
    each = np.stack([values["turned"] for values in seen])
    got, slack = average.weights()["turned"], 1e-5
    assert (got >= each.min(0) - slack).all()
    assert (got <= each.max(0) + slack).all()


def test_it_finds_the_optimum_that_sgd_dances_around():
    """A quadratic with noise: the mean is √n nearer, whatever the rate."""
    distances = {}
    for rate in (0.1, 0.5):
        rng, layer = np.random.default_rng(0), nn.Linear(40, 1, bias=False)
        layer.astype(np.float64)
        average = optim.WeightAverage(layer, start=100)
        optimizer = optim.SGD(layer.parameters(), lr=rate)
        for _ in range(2100):
            layer.weight.grad = tensor(layer.weight.data + rng.standard_normal((1, 40)))
            optimizer.step()
            average.update()
        distances[rate] = [
            float(np.sqrt((array**2).mean()))
            for array in (layer.weight.data, average.weights()["weight"])
        ]
    for own, averaged in distances.values():
        assert averaged == pytest.approx(2000**-0.5, rel=0.35)  # A⁻¹ · noise / √n
        assert own > 5 * averaged


# -- PyTorch's ---------------------------------------------------------------------------------


class Scaled:
    """The same network in PyTorch, with batch normalisation for its buffers."""

    def __init__(self, torch):
        self.theirs = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4)).double()
        self.ours = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm2d(4)).astype(np.float64)
        self.names = {
            "0.weight": "0.weight", "0.bias": "0.bias", "1.weight": "1.weight", "1.bias": "1.bias",
            "1.running_mean": "1.running_mean", "1.running_var": "1.running_var",
        }  # fmt: skip

    def draw(self, torch, rng):
        mine, theirs = self.ours.state_dict(), self.theirs.state_dict()
        for name, other in self.names.items():
            value = rng.standard_normal(mine[name].shape)
            mine[name][...] = value
            theirs[other].copy_(torch.tensor(value))


@pytest.mark.parametrize("decay", [None, 0.9, 0.999])
def test_as_pytorch(decay):
    torch = pytest.importorskip("torch")
    from torch.optim import swa_utils

    pair, rng = Scaled(torch), np.random.default_rng(1)
    how = {} if decay is None else {"multi_avg_fn": swa_utils.get_ema_multi_avg_fn(decay)}
    theirs = swa_utils.AveragedModel(pair.theirs, use_buffers=True, **how)
    ours = optim.WeightAverage(pair.ours, decay, bias_correction=False)
    for _ in range(8):
        pair.draw(torch, rng)
        theirs.update_parameters(pair.theirs)
        ours.update()
    assert int(theirs.n_averaged) == ours.n_averaged == 8
    wanted = theirs.module.state_dict()
    for name, other in pair.names.items():
        np.testing.assert_allclose(ours.weights()[name], wanted[other].numpy(), rtol=1e-12)


def test_corrected_as_pytorch_with_a_formula_of_ones_own():
    torch = pytest.importorskip("torch")
    from torch.optim import swa_utils

    pair, rng, d = Scaled(torch), np.random.default_rng(2), 0.95
    theirs = swa_utils.AveragedModel(
        pair.theirs, use_buffers=True,
        avg_fn=lambda mean, x, n: mean + (1 - d) / (1 - d ** (int(n) + 1)) * (x - mean),
    )  # fmt: skip
    ours = optim.WeightAverage(pair.ours, d)
    for _ in range(8):
        pair.draw(torch, rng)
        theirs.update_parameters(pair.theirs)
        ours.update()
    wanted = theirs.module.state_dict()
    for name, other in pair.names.items():
        np.testing.assert_allclose(ours.weights()[name], wanted[other].numpy(), rtol=1e-12)


# -- in the network's place ----------------------------------------------------------------------


def test_swapped_and_back():
    net, average, seen = trained(4)
    arrays = {name: t.data for name, t in net.named_parameters()}
    wanted = {name: array.copy() for name, array in average.weights().items()}
    with average.swapped():
        assert_equal(net.values(), wanted)
        assert_equal(average.weights(), wanted)
        average_inside = average.state_dict()["arrays"]
        assert_equal(average_inside, wanted)
    assert_equal(net.values(), seen[-1])
    for name, t in net.named_parameters():
        assert t.data is arrays[name]  # a recorded graph would look for them there
    assert_equal(average.weights(), wanted)


def test_swapped_back_after_an_error():
    net, average, seen = trained(3)
    with pytest.raises(KeyError), average.swapped():
        raise KeyError
    assert_equal(net.values(), seen[-1])
    average.update()


def test_before_anything_was_averaged_the_network_keeps_its_own():
    net, average, seen = trained(2, start=5)
    with average.swapped():
        assert_equal(net.values(), seen[-1])
    assert average.state_dict()["arrays"] == {}


def test_inside_it_cannot_be_changed():
    _, average, _ = trained(3)
    state = average.state_dict()
    with average.swapped():
        with pytest.raises(RuntimeError, match="update cannot be called inside swapped"):
            average.update()
        with pytest.raises(RuntimeError, match="swapped cannot be called inside"):
            average.swapped().__enter__()
        with pytest.raises(RuntimeError, match="load_state_dict cannot be called inside"):
            average.load_state_dict(state)


def test_statistics_can_be_taken_anew_inside():
    """What changes inside is the average."""
    net, average, seen = trained(3)
    with average.swapped():
        net.mean.data[...] = 7
    np.testing.assert_array_equal(average.weights()["mean"], [7, 7, 7])
    assert_equal(net.values(), seen[-1])


# -- kept ----------------------------------------------------------------------------------------


@given(steps=st.integers(0, 6), start=st.integers(0, 4), decay=decays, seed=seeds)
def test_stopped_and_gone_on_with_it_ends_the_same_to_the_bit(steps, start, decay, seed):
    options = {"decay": decay, "start": start, "dtype": np.float32}
    _, whole, _ = trained(8, seed, **options)
    net, first, _ = trained(steps, seed, **options)
    text = json.dumps(first.state_dict()["values"])
    arrays = {name: array.copy() for name, array in first.state_dict()["arrays"].items()}
    later = optim.WeightAverage(net, decay, start)
    later.load_state_dict({"arrays": arrays, "values": json.loads(text)})
    rng = np.random.default_rng(seed)
    for step in range(8):
        net.draw(rng, step)
        if step >= steps:
            later.update()
    assert later.steps == 8
    assert_equal(later.weights(), whole.weights())


def test_through_a_file(tmp_path):
    net, average, _ = trained(3)
    state = average.state_dict()
    checkpoint.save(tmp_path / "average", state["arrays"], {"v": json.dumps(state["values"])})
    arrays, metadata = checkpoint.load(tmp_path / "average")
    other = optim.WeightAverage(net)
    other.load_state_dict({"arrays": arrays, "values": json.loads(metadata["v"])})
    assert_equal(other.weights(), average.weights())
    turned = other.weights()["turned"]
    assert turned.strides == net.turned.data.strides  # as the parameter lies in memory


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda s: s["values"].update(decay=0.9), "decay: 0.9 there, None here"),
        (lambda s: s["values"].pop("start"), "start: 'missing' there, 0 here"),
        (lambda s: s["values"].update(steps=-1), "steps: -1, needs a whole number"),
        (lambda s: s["values"].update(steps=True), "steps: True, needs a whole number"),
        (lambda s: s["values"].update(steps=0), "unexpected: weight"),
        (lambda s: s["arrays"].pop("mean"), "missing: mean"),
        (lambda s: s["arrays"].update(more=np.zeros(1)), "unexpected: more"),
        (
            lambda s: s["arrays"].update(mean=np.zeros(2)),
            r"mean: shape \(2,\) and dtype float64, needs \(3,\) and float64",
        ),
        (
            lambda s: s["arrays"].update(count=np.zeros(())),
            r"count: shape \(\) and dtype float64, needs \(\) and int64",
        ),
        (lambda s: s.update(values=3), "a state is"),
    ],
)
def test_a_state_that_does_not_fit_is_refused_whole(spoil, sentence):
    net, average, _ = trained(3)
    before = {name: array.copy() for name, array in average.weights().items()}
    state = average.state_dict()
    spoil(state)
    with pytest.raises(ValueError, match=sentence):
        average.load_state_dict(state)
    assert average.steps == 3
    assert_equal(average.weights(), before)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"decay": 1.0}, r"decay must be None or a number in \[0, 1\), got 1.0"),
        ({"decay": "0.9"}, "decay must be"),
        ({"start": -1}, "start must be 0 or more steps, got -1"),
        ({"start": 0.5}, "start must be"),
    ],
)
def test_options_out_of_range_are_refused(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        optim.WeightAverage(Net(), **options)


def test_sixteen_bits_are_refused():
    with pytest.raises(TypeError, match="weight is float16; averages are kept in float32"):
        optim.WeightAverage(Net().astype(np.float16))
    with pytest.raises(TypeError, match="net must be an nn.Module, got list"):
        optim.WeightAverage([Net()])
