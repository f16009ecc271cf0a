"""The network: counts, names, shapes, modes, sizes."""

import numpy as np
import pytest

import minigrad
from googlenet import GoogLeNet, Outputs, architecture
from googlenet.model import loss
from googlenet.summary import rows
from minigrad import tensor

# Reference: parameters and multiply-adds of each stage at 224 pixels and 1000 classes.
STAGES = {
    "conv1": (9_472, 118_013_952),
    "inception_3a": (163_696, 128_049_152),
    "inception_3b": (388_736, 304_267_264),
    "inception_4a": (376_176, 73_608_192),
    "inception_4b": (449_160, 87_908_352),
    "inception_4c": (510_104, 99_850_240),
    "inception_4d": (605_376, 118_515_712),
    "inception_4e": (868_352, 169_996_288),
    "inception_5a": (1_043_456, 51_079_168),
    "inception_5b": (1_444_080, 70_697_984),
    "classifier": (1_025_000, 1_024_000),
}
OUTPUTS = {
    "conv1": (64, 112, 112),
    "pool1": (64, 56, 56),
    "conv2": (192, 56, 56),
    "pool2": (192, 28, 28),
    "inception_3a": (256, 28, 28),
    "inception_3b": (480, 28, 28),
    "inception_4a": (512, 14, 14),
    "inception_4d": (528, 14, 14),
    "inception_4e": (832, 14, 14),
    "pool4": (832, 7, 7),
    "inception_5b": (1024, 7, 7),
}


@pytest.mark.parametrize(
    ("classes", "aux_heads", "parameters"),
    [
        (1000, True, 13_378_280),
        (1000, False, 6_998_552),
        (10, True, 10_334_030),
        (10, False, 5_983_802),
    ],
)
def test_parameter_counts(classes, aux_heads, parameters):
    net = GoogLeNet(classes, aux_heads=aux_heads)
    assert sum(p.size for p in net.parameters()) == parameters
    stages, heads = rows(net)
    assert sum(row.parameters for row in stages + heads) == parameters


def test_stages_are_those_of_the_table():
    stages, heads = rows(GoogLeNet())
    counted = {row.name: row for row in stages}
    for name, (parameters, multiply_adds) in STAGES.items():
        assert (counted[name].parameters, counted[name].multiply_adds) == (
            parameters,
            multiply_adds,
        )
    conv2 = [counted["conv2_reduce"], counted["conv2"]]
    assert sum(row.parameters for row in conv2) == 114_944
    assert sum(row.multiply_adds for row in conv2) == 359_661_568
    for name, output in OUTPUTS.items():
        assert counted[name].output == output
    assert sum(row.multiply_adds for row in stages) == 1_582_671_872
    assert [(row.name, row.parameters) for row in heads] == [
        ("aux_4a", 3_188_840),
        ("aux_4d", 3_190_888),
    ]


def test_names_of_parameters():
    names = set(GoogLeNet(10, in_channels=1, image_size=32).state_dict())
    reduced = [f"conv_{size}{end}" for size in ("3x3", "5x5") for end in ("_reduce", "")]
    inception = ["conv_1x1", *reduced, "pool_proj"]
    layers = ["conv1", "conv2_reduce", "conv2", "classifier"]
    for stage in ["3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b"]:
        layers += [f"inception_{stage}.{name}" for name in inception]
    layers += [f"aux_{s}.{name}" for s in ("4a", "4d") for name in ("conv", "fc", "classifier")]
    assert names == {f"{layer}.{kind}" for layer in layers for kind in ("weight", "bias")}


@pytest.mark.parametrize("size", [32, 33, 40, 48, 75, 96, 224])
def test_sizes_of_stages_and_heads(size):
    """What the data says of sizes is what the modules do, from the smallest image on."""
    net = GoogLeNet(10, in_channels=1, image_size=size)
    with minigrad.no_grad():
        outputs = net(tensor(np.zeros((1, 1, size, size), np.float32)))
        x = tensor(np.zeros((1, 1, size, size), np.float32))
        for step in architecture.walk(net.design.stages, 1, size):
            x = getattr(net, step.stage.name)(x)
            assert x.shape == (1, step.out_channels, step.out_size, step.out_size)
    assert [logits.shape for logits in outputs] == [(1, 10)] * 3


def small(**options):
    options = {"init": "he"} | options
    options = {"num_classes": 10, "in_channels": 1, "image_size": 32} | options
    return GoogLeNet(**options)


IMAGES = tensor(np.random.default_rng(0).standard_normal((4, 1, 32, 32)).astype(np.float32))


def test_training_gives_three_named_heads_and_use_one():
    net = small()
    outputs = net(IMAGES)
    assert isinstance(outputs, Outputs)
    assert outputs._fields == ("logits", "aux_4a", "aux_4d")
    logits = net.eval()(IMAGES)
    assert logits.shape == (4, 10)
    np.testing.assert_array_equal(logits.data, net(IMAGES).data)


def test_without_heads():
    outputs = small(aux_heads=False)(IMAGES)
    assert outputs.aux_4a is None
    assert outputs.aux_4d is None
    total, heads = loss(outputs, np.zeros(4, int))
    assert list(heads) == ["logits"]
    assert total.item() == heads["logits"].item()


def test_heads_stand_where_their_names_say():
    """A head's loss reaches the stages before it and none behind it."""
    net = small()
    outputs = net(IMAGES)
    reached = {}
    for head in ("aux_4a", "aux_4d"):
        net.zero_grad()
        getattr(outputs, head).sum().backward(retain_graph=True)
        reached[head] = {n.split(".")[0] for n, p in net.named_parameters() if p.grad is not None}
    before_4b = {"conv1", "conv2_reduce", "conv2", "inception_3a", "inception_3b", "inception_4a"}
    assert reached["aux_4a"] == before_4b | {"aux_4a"}
    assert reached["aux_4d"] == before_4b | {
        "inception_4b", "inception_4c", "inception_4d", "aux_4d",
    }  # fmt: skip


def test_loss_is_the_weighted_sum():
    outputs = small()(IMAGES)
    total, heads = loss(outputs, np.array([0, 1, 2, 3]))
    parts = [heads[name].item() for name in ("logits", "aux_4a", "aux_4d")]
    assert total.item() == pytest.approx(parts[0] + 0.3 * parts[1] + 0.3 * parts[2], rel=1e-6)


def test_first_weights():
    """He's variance 2 / fan_in everywhere but in the classifiers, which begin at 0.01."""
    for name, parameter in small().named_parameters():
        if name.endswith("bias"):
            assert not parameter.data.any()
        elif parameter.size > 1000:
            fan_in = np.prod(parameter.shape[1:])
            wanted = 0.01 if "classifier" in name else np.sqrt(2 / fan_in)
            assert parameter.data.std() == pytest.approx(wanted, rel=0.1), name


def test_batch_norm_in_place_of_lrn():
    net = small(batch_norm=True)
    assert "lrn1" not in net.stages
    assert any("bn.running_mean" in name for name in net.state_dict())
    total, _ = loss(net(IMAGES), np.array([0, 1, 2, 3]))
    total.backward()
    assert all(p.grad is not None for p in net.parameters())


def test_the_same_seed_builds_the_same_network():
    one, two = (small(generator=np.random.default_rng(3)) for _ in range(2))
    for name, array in one.state_dict().items():
        np.testing.assert_array_equal(array, two.state_dict()[name])


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: small(image_size=31), "image_size must be an integer of at least 32, got 31"),
        (lambda: small(num_classes=0), "num_classes must be an integer of at least 1, got 0"),
        (lambda: small()(IMAGES[:, :, :31]), "images must be at least 32 pixels high"),
        (lambda: small()(IMAGES[0]), r"images must have shape (N, 1, H, W), got (1, 32, 32)"),
        (
            lambda: small(image_size=48)(IMAGES),
            "its auxiliary heads were built for images of 48×48, got 32×32",
        ),
    ],
)
def test_errors(make, sentence):
    with pytest.raises(ValueError, match="^GoogLeNet: ") as error:
        make()
    assert sentence in str(error.value)
