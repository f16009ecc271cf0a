"""The ledger: its counts are right, and it leaves everything as it was."""

import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

import minigrad
from googlenet import GoogLeNet, summary
from minigrad import functional as F
from minigrad import graph, nn
from minigrad.graph.counting import kept_arrays, multiply_adds
from tests.googlenet.tiny import narrow_networks
from tests.graph.graphs import Net, images, read_html


@pytest.fixture(autouse=True)
def _nothing_to_compile():
    with minigrad.kernels("vectorized"):
        yield


def floats(*shape, grad=False):
    return minigrad.tensor(np.ones(shape, np.float32), requires_grad=grad)


WANTS = st.tuples(st.booleans(), st.booleans(), st.booleans()).filter(any)


@given(WANTS, st.integers(1, 2), st.integers(1, 3), st.sampled_from([None, "relu"]))
def test_convolutions(wants, groups, kernel_size, activation):
    x, weight, bias = floats(2, 4, 5, 6), floats(6, 4 // groups, kernel_size, 2), floats(6)
    for tensor, wanted in zip((x, weight, bias), wants, strict=True):
        tensor.requires_grad = wanted
    out = F.conv2d(x, weight, bias, groups=groups, activation=activation)
    if wants == (False, False, True):
        with pytest.raises(ValueError, match=r"^ledger: of conv2d \(shape .* only the bias wants"):
            multiply_adds(out.node)  # nothing kept tells how long the sums were
        return
    forward = out.size * (4 // groups) * kernel_size * 2
    assert multiply_adds(out.node) == (forward, forward * (wants[0] + wants[1]))


@given(WANTS)
def test_linear_layers(wants):
    x, weight, bias = floats(5, 3, 4), floats(2, 4), floats(2)
    for tensor, wanted in zip((x, weight, bias), wants, strict=True):
        tensor.requires_grad = wanted
    out = F.linear(x, weight, bias)
    if wants == (False, False, True):
        with pytest.raises(ValueError, match="^ledger: of linear .* only the bias wants"):
            multiply_adds(out.node)
    else:
        assert multiply_adds(out.node) == (5 * 3 * 2 * 4, 5 * 3 * 2 * 4 * (wants[0] + wants[1]))


@pytest.mark.parametrize(
    ("a", "b", "count"),
    [
        ((2, 3), (3, 4), 24),
        ((5, 2, 3), (3, 4), 120),
        ((3,), (3, 4), 12),
        ((2, 3), (3,), 6),
        ((3,), (3,), 3),
    ],
)
@pytest.mark.parametrize("wants", [(True, False), (False, True), (True, True)])
def test_products(a, b, count, wants):
    out = floats(*a, grad=wants[0]) @ floats(*b, grad=wants[1])
    assert multiply_adds(out.node) == (count, count * sum(wants))


def test_other_operations_multiply_nothing():
    assert multiply_adds(F.relu(floats(3, grad=True)).node) == (0, 0)


def kept(tensor):
    return sum(array.nbytes for array in {id(a): a for a in kept_arrays(tensor.node)}.values())


def test_what_operations_keep():
    x = floats(2, 3, 8, 8, grad=True)
    assert kept(F.relu(x)) == x.data.nbytes  # its output
    assert kept(x + 1) == 0
    assert kept(x.reshape(-1)) == 0
    assert kept(F.max_pool2d(x, 2)) == 2 * 3 * 4 * 4  # a byte for each winner
    assert kept(F.dropout(x, 0.5)) == 0  # the mask is computed again
    weight, bias = floats(4, 3, 3, 3, grad=True), floats(4, grad=True)
    assert kept(F.conv2d(x, weight, bias)) == x.data.nbytes + weight.data.nbytes
    out = F.conv2d(x, weight, bias, activation="relu")
    assert kept(out) == x.data.nbytes + weight.data.nbytes + out.data.nbytes
    norm = nn.BatchNorm2d(3)
    assert kept(norm(x)) == x.data.nbytes + 3 * 3 * 4  # mean, variance, weight
    assert kept(x[0] * 2) <= 4  # views keep nothing that is not needed


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"batch_norm": True},
        {"dialect": "torchvision"},
        {"dialect": "cifar", "variant": "short2"},
    ],
)
def test_multiply_adds_are_those_of_the_summary(options):
    with narrow_networks():
        net = GoogLeNet(num_classes=3, image_size=32, in_channels=3, **options)
    costs = graph.ledger(net, np.ones((2, 3, 32, 32), np.float32), rounds=1)
    by_stage = dict(costs.by("stage"))
    stages, heads = summary.rows(net)
    for row in (*stages, *heads):
        if row.name in by_stage:
            assert by_stage[row.name].forward_adds == 2 * row.multiply_adds, row.name
    assert costs.total.forward_adds == 2 * sum(row.multiply_adds for row in (*stages, *heads))
    first = by_stage[net.stages[0]]
    assert first.backward_adds == first.forward_adds  # images need no gradient
    rest = costs.total.backward_adds - first.backward_adds
    assert rest == 2 * (costs.total.forward_adds - first.forward_adds)


def test_everything_is_as_it_was():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU())
    x = images()
    before = {name: array.copy() for name, array in net.state_dict().items()}
    net[0].weight.grad = minigrad.tensor(np.zeros(net[0].weight.shape))
    mine, numbers = net[0].weight.grad, minigrad.autograd._numbers
    graph.ledger(net, x, rounds=2)
    assert net[0].weight.grad is mine
    assert net[0].bias.grad is None
    assert x.grad is None
    assert minigrad.autograd._numbers is numbers
    for name, array in net.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_kept_bytes_are_counted_once():
    net = nn.Sequential(nn.ReLU(), nn.Conv2d(1, 2, 1), nn.Conv2d(2, 2, 1))
    x = images()
    costs = graph.ledger(net, x, rounds=1)
    relu, first, second, *_ = (row.account.kept_bytes for row in costs.rows)
    assert relu == x.data.nbytes  # which the convolution keeps as its input too
    assert first == 0
    assert second == 2 * x.data.nbytes
    assert costs.total.output_bytes == 5 * x.data.nbytes + 4


def test_branches():
    costs = graph.ledger(Net(), images(), rounds=1)
    names = [name for name, _ in costs.by("branch")]
    assert names[:2] == ["stem", "Net"]
    assert names[2:6] == [
        "a: three_reduce → relu → three",
        "a: one",
        "a: pool → proj",
        "a: concat",
    ]
    assert [name for name, _ in costs.by("stage")][-1] == "loss"
    for what in ("branch", "stage", "kind", "operation"):
        assert sum(account.operations for _, account in costs.by(what)) == len(costs.rows)
        text = Console(width=160, record=True, file=io.StringIO())
        text.print(costs.table(what))
        assert f"{costs.total.forward_adds:,}" in text.export_text()


def test_outputs_of_any_form():
    class Several(Net):
        def forward(self, x):
            out = super().forward(x)
            return {"a": out, "b": [out * 2, None]}

    costs = graph.ledger(Several(), images(), rounds=1)
    assert [row.stage for row in costs.rows].count("loss") == 3
    own = graph.ledger(Net(), images(), loss=lambda out: F.cross_entropy(out, [0, 1]), rounds=1)
    assert own.rows[-1].operation == "cross_entropy"


def test_times_add_up():
    costs = graph.ledger(Net(), images(), rounds=1)
    assert all(row.account.forward_s >= 0 and row.account.backward_s >= 0 for row in costs.rows)
    assert 0 < costs.total.forward_s <= costs.watched_s[0]
    assert 0 < costs.total.backward_s <= costs.watched_s[1]
    assert costs.between_s == pytest.approx(costs.watched_s[1] - costs.total.backward_s)
    assert "clocks cost" in costs.note


def test_as_data_as_text_and_in_a_notebook():
    costs = graph.ledger(Net(), images(), rounds=1)
    told = json.loads(json.dumps(costs.to_dict()))
    assert told["total"]["forward_adds"] == costs.total.forward_adds
    assert sum(row["forward_adds"] for row in told["rows"]) == told["total"]["forward_adds"]
    assert sum(row["kept_bytes"] for row in told["by_branch"]) == costs.total.kept_bytes
    assert "total" in str(costs)
    assert str(costs.__rich__().title) == "Net, by stage"
    elements, texts = read_html(costs._repr_html_())
    stages = costs.by("stage")
    assert sum(tag == "tr" for tag, _ in elements) == 1 + len(stages) + 1
    assert [text for text in texts if text in {name for name, _ in stages}] == [
        s for s, _ in stages
    ]
    assert f"{costs.total.forward_adds:,}" in texts


def test_names_in_a_notebook_are_only_text():
    name = "<script>alert(1)</script>&lt;"

    class Hostile(nn.Module):
        def __init__(self):
            setattr(self, name, nn.Linear(2, 1))

        def forward(self, x):
            return getattr(self, name)(x)

    Hostile.__name__ = "[bold]<b>"
    costs = graph.ledger(Hostile(), np.ones((3, 2), np.float32), rounds=1)
    elements, texts = read_html(costs._repr_html_())
    assert {tag for tag, _ in elements} == {"table", "caption", "thead", "tbody", "tr", "th", "td"}
    assert name in texts
    assert f"[bold]<b>: {costs.note}" in texts
    assert "[bold]<b>, by stage" in str(costs)


def test_printing_in_a_notebook_prints(monkeypatch):
    costs = graph.ledger(Net(), images(), rounds=1)
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    assert "total" in str(costs)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((3, np.ones(3)), "model must be a Module, got int"),
        ((Net(), np.ones((1, 1, 4, 4)), None, 0), "rounds must be an integer of at least 1, got 0"),
    ],
)
def test_mistakes_are_told(arguments, said):
    with pytest.raises((TypeError, ValueError), match=said):
        graph.ledger(*arguments)


@pytest.mark.parametrize("outputs", [None, 3.0, "text", (), {}, [None, {"a": ()}]])
def test_outputs_without_a_tensor_are_told(outputs):
    class Silent(nn.Linear):
        def forward(self, x):
            return outputs

    with pytest.raises(ValueError, match="^ledger: the model returned .* give a loss"):
        graph.ledger(Silent(2, 2), np.ones((1, 2), np.float32))


def test_outputs_are_added_up_however_they_are_packed():
    class Packed(nn.Linear):
        def forward(self, x):
            out = super().forward(x)
            return {"a": out, "b": (None, [out * 2.0, "text"])}

    costs = graph.ledger(Packed(2, 2), np.ones((1, 2), np.float32), rounds=1)
    assert [row.operation for row in costs.rows] == [
        "linear", "multiply", "sum", "sum", "add",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("loss", "got"), [(lambda out: out, r"shape \(1, 2\)"), (lambda out: 3.0, "float")]
)
def test_a_loss_that_is_not_one_number_is_told(loss, got):
    with pytest.raises(ValueError, match=f"^ledger: loss must return a Tensor .* got {got}"):
        graph.ledger(nn.Linear(2, 2), np.ones((1, 2), np.float32), loss)


def test_unknown_groupings_are_told():
    with pytest.raises(ValueError, match="what must be one of operation, branch, stage, kind"):
        graph.ledger(Net(), images(), rounds=1).by("colour")


def test_a_model_that_changes_its_mind_is_told():
    class Moody(nn.Linear):
        def forward(self, x):
            self.times = getattr(self, "times", 0) + 1
            out = super().forward(x)
            return out * 2 if self.times == 3 else out

    with pytest.raises(ValueError, match="recorded other operations than the run before"):
        graph.ledger(Moody(2, 2), np.ones((1, 2), np.float32))
