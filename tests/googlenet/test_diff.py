"""Networks by name, counted, and side by side: what the commands summary and diff say."""

import json

import pytest

from googlenet import diff
from googlenet.networks import named
from googlenet.summary import printed, reductions
from tests.googlenet.tiny import call, narrow_networks, train


def test_reductions_at_3a_and_4a_by_hand():
    found = {
        row.name.removeprefix("inception_"): row for row in reductions(named("paper", 2, 3, 224))
    }
    row = found["3a.conv_5x5"]
    assert (row.channels, row.reduced, row.direct) == (192, 16, 120_422_400)
    assert (row.reduction, row.convolution, row.through) == (2_408_448, 10_035_200, 12_443_648)
    row = found["4a.conv_5x5"]
    assert (row.direct, row.reduction, row.convolution) == (112_896_000, 1_505_280, 3_763_200)
    assert len(found) == 18
    # Two 3×3 in a row: only the first would look at all channels.
    row = next(r for r in reductions(named("cifar", 2, 3, 32)) if "5x5" in r.name)
    second = 32 * 32 * 9 * 32 * 32
    assert row.direct == 192 * 32 * 9 * 32 * 32 + second
    assert row.convolution == 16 * 32 * 9 * 32 * 32 + second
    assert not list(reductions(named("cifar:naive", 2, 3, 32)))


def test_the_printed_figures_stand_beside_the_paper_only():
    assert printed(named("paper", 1000, 3, 224))["inception_3a"] == ("159K", "128M")
    for other in (("torchvision", 1000, 3, 224), ("paper", 10, 3, 224), ("paper", 1000, 3, 96)):
        assert printed(named(*other)) == {}
    out = call("summary").out
    assert "2.7K (!), 34M (!)" in out  # 7·7·3·64 is not 2.7 K
    assert "159K, 128M" in out
    assert "1000K, 1M" in out
    assert "1M (!)" not in out
    assert "prints" not in call("summary", "torchvision").out


def test_what_differs_between_two_dialects():
    found = diff.compare(named("paper", 1000, 3, 224), named("torchvision", 1000, 3, 224))
    lines = {line.name: line for line in found.lines}
    assert lines["pool4"].differences == ["kernel_size: 3 → 2"]
    assert lines["pool3"].differences == []
    assert lines["inception_4a"].differences == [
        "conv_5x5.kernel_size: 5 → 3", "conv_5x5.padding: 2 → 1",
    ]  # fmt: skip
    assert lines["lrn1"].rows[1] is None
    assert lines["aux_4a"].differences == ["pool: average 5×5/3 → none"]
    assert found.settings["norm"] == ("LRN", "batch norm, eps 0.001")
    assert found.settings["dropout"] == (0.4, 0.2)
    assert [diff.total(found, side)["parameters"] for side in (0, 1)] == [6_998_552, 6_624_904]
    with_heads = [diff.total(found, side)["parameters_with_heads"] for side in (0, 1)]
    assert with_heads == [13_378_280, 13_004_888]
    names = [line.name for line in found.lines]
    assert names.index("lrn1") == names.index("pool1") + 1
    assert names.index("inception_5b") < names.index("classifier") < names.index("aux_4a")


def test_stages_of_either_keep_their_order():
    found = diff.compare(named("cifar:short", 2, 3, 32), named("cifar:long", 2, 3, 32))
    names = [line.name.removeprefix("inception_") for line in found.lines]
    assert names[:-3] == [
        "conv1", "3a", "3b", "pool3", "4a", "4b", "4c", "4d", "4e", "pool4", "5a", "5b", "5c", "5d",
    ]  # fmt: skip
    alone = [line.name for line in found.lines if line.rows[0] is None]
    assert alone == [f"inception_{name}" for name in ("4b", "4c", "5c", "5d")]


def test_two_that_are_the_same():
    done = call("diff", "paper", "paper-bn", "--image-size", "64")
    assert done.code == 0
    assert "the two are the same" in done.out
    found = json.loads(call("diff", "paper", "paper:3a pool 5b", "--json", "--classes", "7").out)
    assert found["a"] == "GoogLeNet, dialect paper"
    stages = {stage["stage"]: stage for stage in found["stages"]}
    assert stages["inception_4a"]["b"] is None
    assert stages["classifier"]["a"]["parameters"] == 1025 * 7
    assert found["totals"][0]["multiply_adds"] > found["totals"][1]["multiply_adds"]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("vgg", "there is no network 'vgg'; it must be a dialect (paper, torchvision, cifar)"),
        ("cifar:5x", "'5x' is no row of Table 1"),
        ("gone.toml:3a", "there is no network"),
        ("cifar:gone.toml", "gone.toml"),
    ],
)
def test_names_of_no_network(name, sentence):
    done = call("diff", "paper", name)
    assert done.code == 2
    assert sentence in done.err
    assert "Traceback" not in done.err


def test_a_run_and_a_file(tmp_path):
    with narrow_networks():
        run = train(tmp_path / "run")
        found = json.loads(call("summary", run, "--json").out)
    assert found["stages"][-1]["output"] == [10]
    assert found["heads"]
    file = tmp_path / "mine.toml"
    file.write_text('stages = "3a pool 4c"')
    name = f"cifar:{file}"
    names = [s["name"] for s in json.loads(call("summary", name, "--json").out)["stages"]]
    assert names[:4] == ["conv1", "inception_3a", "pool3", "inception_4c"]


def test_the_network_of_a_run_is_as_it_was(tmp_path):
    """Options that would change nothing are refused; beside another network they are its."""
    with narrow_networks():
        run = train(tmp_path / "run", "--set", "average=ema")
        done = call("summary", run, "--classes", "7")
        assert (done.code, "--classes does not go with a run" in done.err) == (2, True)
        done = call("diff", run, run / "model.safetensors", "--no-aux-heads")
        assert (done.code, "--aux-heads does not go with a run" in done.err) == (2, True)
        options = ("--image-size", "32", "--classes", "10", "--in-channels", "1")
        assert "differs" in call("diff", run, "paper", *options).out
        averaged = call("summary", run / "averaged.safetensors", "--json")
        assert averaged.out == call("summary", run, "--json").out != ""
