"""Inception-BN and Inception v3: counts, shapes, errors, first weights, and networks by name."""

import json

import numpy as np
import pytest

import minigrad
from googlenet import NETWORKS, InceptionBN, InceptionV3, architecture, build
from googlenet.model import loss
from googlenet.run_folder import load_model
from googlenet.summary import rows, table
from minigrad import tensor
from tests.googlenet.tiny import call, photographs, tiny  # noqa: F401 (a fixture)

# Public: 11,295,240 parameters of the Caffe model and its ports; stages counted by PyTorch.
BN_STAGES = {
    "conv1": (9_600, 118_013_952, (64, 112, 112)),
    "conv2_reduce": (4_288, 12_845_056, (64, 56, 56)),
    "conv2": (111_168, 346_816_512, (192, 56, 56)),
    "inception_3a": (219_552, 170_999_808, (256, 28, 28)),
    "inception_3b": (260_704, 203_112_448, (320, 28, 28)),
    "inception_3c": (385_632, 143_904_768, (576, 14, 14)),
    "inception_4a": (610_848, 119_218_176, (576, 14, 14)),
    "inception_4b": (666_240, 130_056_192, (576, 14, 14)),
    "inception_4c": (915_456, 178_827_264, (608, 14, 14)),
    "inception_4d": (1_144_000, 223_584_256, (608, 14, 14)),
    "inception_4e": (1_451_008, 164_577_280, (1056, 7, 7)),
    "inception_5a": (2_210_496, 108_079_104, (1024, 7, 7)),
    "inception_5b": (2_281_248, 111_541_248, (1024, 7, 7)),
    "classifier": (1_025_000, 1_024_000, (1000,)),
}
# Public: 27,161,264 parameters with the head, 5.713 G multiply-adds; stages counted by PyTorch.
V3_STAGES = {
    "conv_1a": (928, 19_181_664, (32, 149, 149)),
    "conv_2a": (9_280, 199_148_544, (32, 147, 147)),
    "conv_2b": (18_560, 398_297_088, (64, 147, 147)),
    "pool1": (0, 0, (64, 73, 73)),
    "conv_3b": (5_280, 27_284_480, (80, 73, 73)),
    "conv_4a": (138_624, 696_867_840, (192, 71, 71)),
    "pool2": (0, 0, (192, 35, 35)),
    "inception_5b": (255_904, 312_345_600, (256, 35, 35)),
    "inception_5c": (277_472, 338_688_000, (288, 35, 35)),
    "inception_5d": (285_152, 348_096_000, (288, 35, 35)),
    "inception_6a": (1_153_280, 401_937_408, (768, 17, 17)),
    "inception_6b": (1_297_408, 374_063_104, (768, 17, 17)),
    "inception_6c": (1_691_008, 487_702_528, (768, 17, 17)),
    "inception_6d": (1_691_008, 487_702_528, (768, 17, 17)),
    "inception_6e": (2_141_952, 617_914_368, (768, 17, 17)),
    "inception_7a": (1_698_304, 291_004_416, (1280, 8, 8)),
    "inception_7b": (5_044_608, 322_437_120, (2048, 8, 8)),
    "inception_7c": (6_076_800, 388_497_408, (2048, 8, 8)),
    "classifier": (2_049_000, 2_048_000, (1000,)),
}


@pytest.fixture(scope="module")
def bn():
    return InceptionBN()


@pytest.fixture(scope="module")
def v3():
    return InceptionV3()


def parameters(net):
    return sum(p.size for p in net.parameters())


@pytest.mark.parametrize(
    ("name", "stages", "total", "multiply_adds"),
    [
        ("bn", BN_STAGES, 11_295_240, 2_032_600_064),
        ("v3", V3_STAGES, 23_834_568, 5_713_216_096),
    ],
)
def test_counts(name, stages, total, multiply_adds, request):
    counted, _ = rows(request.getfixturevalue(name))
    found = {row.name: (row.parameters, row.multiply_adds, row.output) for row in counted}
    assert {stage: found[stage] for stage in stages} == stages
    assert sum(row.parameters for row in counted) == total
    assert sum(row.multiply_adds for row in counted) == multiply_adds


def test_parameters_with_and_without_the_head(bn, v3):
    assert parameters(bn) == 11_295_240
    assert parameters(v3) == 27_161_264
    assert parameters(InceptionV3(aux_heads=False)) == 23_834_568
    _, heads = rows(v3)
    assert [(row.name, row.parameters) for row in heads] == [("aux", 3_326_696)]


def test_activations_are_what_operations_return(bn):
    """A forked end gives two arrays and what they are put together to; in MiB of float32."""
    net = InceptionV3(aux_heads=False, image_size=75)
    sizes = []
    x = tensor(np.zeros((1, 2048, 1, 1), np.float32))
    module = net.eval().inception_7c
    for name, part in module.named_modules():
        if name in ("fork_3x3", "fork_double_3x3", ""):
            forward = part.forward
            part.forward = lambda x, forward=forward: sizes.append(y := forward(x)) or y
    with minigrad.no_grad():
        module(x)
    together = sum(y.size for y in sizes)
    convs = sum(3 * part.out_channels for _, part in module.named_modules()
                if hasattr(part, "out_channels"))  # fmt: skip
    row = next(row for row in rows(net)[0] if row.name == "inception_7c")
    assert row.activations == 4 * (together + convs + 2048)  # and the pool


@pytest.mark.parametrize(
    ("make", "size"),
    [(InceptionBN, 32), (InceptionBN, 64), (InceptionBN, 96), (InceptionV3, 75), (InceptionV3, 96)],
)
def test_sizes_of_stages(make, size):
    """What the data says of sizes is what the modules do."""
    net = make(4, in_channels=1, image_size=size, aux_heads=False).eval()
    with minigrad.no_grad():
        x = tensor(np.zeros((1, 1, size, size), np.float32))
        for step in architecture.walk(net.design.stages, 1, size):
            x = getattr(net, step.stage.name)(x)
            assert x.shape == (1, step.out_channels, step.out_size, step.out_size)


def test_outputs_and_their_loss():
    net = InceptionBN(5, in_channels=1, image_size=32)
    images = tensor(np.random.default_rng(0).standard_normal((4, 1, 32, 32)).astype(np.float32))
    outputs = net(images)
    assert outputs._fields == ("logits",)
    total, heads = loss(outputs, np.array([0, 1, 2, 3]))
    assert list(heads) == ["logits"]
    total.backward()
    assert all(p.grad is not None for p in net.parameters())
    assert net.eval()(images).shape == (4, 5)
    assert InceptionV3.outputs._fields == ("logits", "aux")
    assert net.design.aux_weight == 0.3
    assert architecture.inception_v3().aux_weight == 0.4


def test_first_weights_of_v3(v3):
    """torchvision's: deviations of 0.1, and 0.01 and 0.001 in the head's last layers."""
    own = {"aux.conv_5x5.weight": 0.01, "aux.classifier.weight": 0.001}
    for name, parameter in v3.named_parameters():
        if name.endswith("weight") and ".bn." not in name and parameter.size > 5000:
            assert parameter.data.std() == pytest.approx(own.get(name, 0.1), rel=0.05), name


def test_by_name():
    assert list(NETWORKS) == ["googlenet", "inception-bn", "inception-v3"]
    assert type(build(num_classes=3, image_size=32, variant="short4")).__name__ == "GoogLeNet"
    assert isinstance(build("inception-bn", num_classes=3, image_size=32), InceptionBN)


def test_table_of_each(bn, v3):
    for net, name in ((bn, "Inception-BN"), (v3, "Inception v3")):
        assert table(net).title.startswith(f"{name}; input 3×")


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: build("vgg"), "architecture must be one of googlenet, inception-bn, inception-v3"),
        (
            lambda: build("inception-v3", dialect="paper"),
            "build: inception-v3 has no option 'dialect'; it has num_classes, in_channels,",
        ),
        (lambda: InceptionV3(image_size=74), "InceptionV3: image_size must be an integer of at"),
        (
            lambda: InceptionV3(image_size=298),
            "head aux: its layers do not fit into maps of 16×16: use larger images, or aux_heads",
        ),
        (lambda: InceptionV3(image_size=75), "head aux: its layers do not fit into maps of 3×3"),
        (
            lambda: InceptionBN(image_size=200),
            "stage inception_3c: its branches give maps of different sides, [13, 13, 12], from",
        ),
        (
            lambda: InceptionBN(3, 1, 32)(tensor(np.zeros((1, 1, 32, 200), np.float32))),
            "stage inception_3c: its branches give maps of different sides, [13, 13, 12], from",
        ),
    ],
)  # fmt: skip
def test_errors(make, sentence):
    with pytest.raises(ValueError) as error:  # noqa: PT011 (the sentence is looked at)
        make()
    assert sentence in str(error.value)


def test_names_are_known_on_every_floor():
    assert set(NETWORKS) == set(architecture.ARCHITECTURES)


def test_commands_count_them():
    found = json.loads(call("summary", "inception-v3", "--json").out)
    assert sum(row["multiply_adds"] for row in found["stages"]) == 5_713_216_096
    found = json.loads(call("diff", "torchvision", "inception-bn", "--json").out)
    assert found["totals"][1]["parameters"] == 11_295_240
    done = call("summary", "inception-v4")
    assert done.code == 2
    assert "inception-bn or inception-v3; or the folder of a run" in done.err
    done = call("train", "--set", "architecture=inception-v3", "--set", "dialect=cifar",
                "--set", "image_size=299")  # fmt: skip
    assert (done.code, "dialect" in done.err) == (2, True)


# From here on networks are narrow.


@pytest.mark.parametrize(
    ("name", "size", "heads"),
    [("inception-v3", 299, ["loss_logits", "loss_aux"]), ("inception-bn", 32, ["loss_logits"])],
)
def test_trained_and_used_by_command(tiny, name, size, heads, tmp_path):  # noqa: F811
    run, data = tmp_path / "run", photographs(tmp_path / "data", each=5)
    done = call(
        "train", "--run", run, "--data", data, "--epochs", "1", "--workers", "1",
        "--set", f"architecture={name}", "--set", f"image_size={size}", "--set", "batch_size=8",
    )  # fmt: skip
    assert done.code == 0, done.err
    columns = (run / "metrics.csv").read_text().splitlines()[0].split(",")
    assert [c for c in columns if c.startswith("loss_")] == heads
    assert ("loss aux" in done.out) == (len(heads) == 2)
    model = load_model(run)
    assert isinstance(model.net, NETWORKS[name])
    _, metadata = minigrad.checkpoint.load(run / "model.safetensors")
    assert metadata["architecture"] == name
    assert set(json.loads(metadata["versions"])) == {"minigrad-googlenet", "numpy", "numba"}
    assert call("summary", run).out.strip().startswith(model.net.design.name)
