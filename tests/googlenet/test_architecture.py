"""Networks as data: dialects and variants against published counts, lists of modules, sizes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad
from googlenet import GoogLeNet
from googlenet.architecture import (
    DIALECTS,
    ROWS,
    VARIANTS,
    Branches,
    Conv,
    Pool,
    design,
    head_pool,
    out_size,
    parse_stages,
    placed,
    read_stages,
    walk,
    write_stages,
)
from googlenet.model import INITS, loss
from googlenet.summary import rows
from minigrad import functional as F
from minigrad import tensor


def parameters(*arguments, **options):
    return sum(p.size for p in GoogLeNet(*arguments, **options).parameters())


# -- published counts --------------------------------------------------------------------------

PUBLISHED = [  # dialect, classes, with heads, parameters, multiply-adds at 224
    ("paper", 1000, False, 6_998_552, 1_582_671_872),
    ("paper", 1000, True, 13_378_280, 1_582_671_872),
    ("paper", 10, False, 5_983_802, None),
    ("paper", 10, True, 10_334_030, None),
    ("torchvision", 1000, False, 6_624_904, 1_498_376_192),
    ("torchvision", 1000, True, 13_004_888, 1_498_376_192),
    ("cifar", 100, False, 6_258_500, None),
    ("cifar", 10, False, 6_166_250, None),
]


@pytest.mark.parametrize(("dialect", "classes", "heads", "count", "adds"), PUBLISHED)
def test_dialects_have_the_published_counts(dialect, classes, heads, count, adds):
    net = GoogLeNet(classes, dialect=dialect, aux_heads=heads)
    stages, others = rows(net)
    assert sum(p.size for p in net.parameters()) == count
    assert sum(row.parameters for row in stages + others) == count
    if adds is not None:
        assert sum(row.multiply_adds for row in stages) == adds


@pytest.mark.parametrize("classes", [100, 10])
@pytest.mark.parametrize("name", [v.name for v in VARIANTS.values() if v.exact])
def test_variants_have_the_published_counts(name, classes):
    count = parameters(classes, image_size=32, dialect="cifar", variant=name)
    assert count == VARIANTS[name].parameters[classes]


def test_variants_that_are_our_choice_say_so_and_come_near():
    """What the source does not tell: two modules more, fewer still, two left; 1024 channels."""
    for name in ("long", "short3", "short4"):
        variant = VARIANTS[name]
        assert not variant.exact
        assert "this choice is ours" in variant.note
        ours = parameters(100, image_size=32, dialect="cifar", variant=name)
        assert ours == pytest.approx(variant.parameters[100], rel=0.02)
        # The classifier alone depends on the classes: it has as many inputs as theirs.
        ten = parameters(10, image_size=32, dialect="cifar", variant=name)
        assert ours - ten == variant.parameters[100] - variant.parameters[10] == 90 * 1025
    counts = {n: sum(w != "pool" for w in v.stages.split()) for n, v in VARIANTS.items()}
    assert counts["long"] == counts["googlenet"] + 2
    assert counts["short2"] > counts["short3"] > counts["short4"] == 2


def test_naive_modules_widen_as_published():
    steps = list(walk(design("cifar", "naive").stages, 3, 32))
    widths = [step.out_channels for step in steps if isinstance(step.stage, Branches)]
    assert widths == [416, 832, 1280, 1728, 2176, 2640, 3344, 4048, 4944]


def test_dialects_pool_as_their_sources_do():
    pools = {name: [s for s in design(name).stages if isinstance(s, Pool)] for name in DIALECTS}
    assert [(p.kernel_size, p.ceil_mode, p.padding) for p in pools["paper"]] == [(3, True, 0)] * 4
    assert [p.kernel_size for p in pools["torchvision"]] == [3, 3, 3, 2]
    assert [(p.kernel_size, p.ceil_mode, p.padding) for p in pools["cifar"]] == [(3, False, 1)] * 2
    assert {p.stride for group in pools.values() for p in group} == {2}


def test_a_single_pool_is_no_last_one():
    """Torchvision's 2×2 pool is that from 14×14 to 7×7; with one pool between modules it is not."""
    found = [s for s in design("torchvision", stages="3a pool 5b").stages if s.name == "pool3"]
    assert [pool.kernel_size for pool in found] == [3]


@pytest.mark.parametrize(
    ("side", "pool", "given"),
    [(14, 5, 4), (16, 5, 4), (17, None, 4), (13, None, 4), (4, None, 4), (2, None, 2)],
)
def test_heads_pool_as_the_paper_does_where_that_gives_4x4(side, pool, given):
    (head, _) = design("paper").heads
    found, into = head_pool(head, side)
    assert (found and found.kernel_size, into) == (pool, given)
    assert head_pool(design("torchvision").heads[0], side) == (None, given)


# -- every network runs --------------------------------------------------------------------------


@pytest.mark.parametrize("batch_norm", [None, True, False])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_dialects_learn_with_batch_norm_and_without(dialect, batch_norm):
    net = GoogLeNet(
        3, 1, 32, dialect=dialect, variant="short4", batch_norm=batch_norm,
        generator=np.random.default_rng(0),
    )  # fmt: skip
    normalised = {"paper": False, "torchvision": True, "cifar": True}[dialect]
    wanted = normalised if batch_norm is None else batch_norm
    names = set(net.state_dict())
    assert any(name.endswith("running_var") for name in names) == wanted == net.batch_norm
    assert ("lrn1" in net.stages) == (dialect == "paper" and not wanted)
    biased = dialect != "torchvision" or not wanted
    assert ("inception_4a.conv_1x1.bias" in names) == biased
    images = np.random.default_rng(1).standard_normal((2, 1, 32, 32)).astype(np.float32)
    total, heads = loss(net(tensor(images)), np.array([0, 2]))
    assert list(heads) == (["logits"] if dialect == "cifar" else ["logits", "aux_4a"])
    total.backward()
    assert all(p.grad is not None for p in net.parameters())


@given(st.sampled_from(sorted(DIALECTS)), st.integers(32, 70), st.data())
def test_sizes_are_those_of_the_modules(dialect, size, data):
    """What the data says of sizes and channels is what the modules do, for any list of modules."""
    word = st.sampled_from(["pool", "n=2/1/3/1/2/1", "m=1/1/1/1/1/1"])
    words = data.draw(
        st.lists(word, max_size=5, unique_by=lambda w: w if w != "pool" else object())
    )
    net = GoogLeNet(2, 1, size, dialect=dialect, stages=[*words, "z=1/2/1/1/1/2"])
    with minigrad.no_grad():
        x = tensor(np.zeros((1, 1, size, size), np.float32))
        for step in walk(net.design.stages, 1, size):
            x = getattr(net, step.stage.name)(x)
            assert x.shape == (1, step.out_channels, step.out_size, step.out_size)


@given(
    st.integers(1, 30), st.integers(1, 5), st.integers(1, 4), st.integers(0, 2), st.booleans(),
)  # fmt: skip
def test_pools_have_as_many_windows_as_the_operation_makes(size, kernel, stride, padding, ceil):
    padding = min(padding, kernel // 2)
    pool = Pool("p", kernel, stride, padding, ceil)
    x = tensor(np.zeros((1, 1, size, size), np.float32))
    try:
        wanted = F.max_pool2d(x, kernel, stride, padding, ceil_mode=ceil).shape[2]
    except ValueError:
        with pytest.raises(ValueError, match="^stage p: a window"):
            out_size(pool, size)
    else:
        assert out_size(pool, size) == wanted


def test_layers_of_branches_are_placed():
    branches = Branches(
        "b", ((Conv("x", 2, (1, 3), padding=(0, 1)), Conv("y", 4, 3, 2)), (Pool("p", 3, 2),))
    )
    assert [(n, i, a, b) for n, _, i, a, b in placed(branches, 5, 9)] == [
        ("b.x", 5, 9, 9), ("b.y", 2, 9, 4), ("b.p", 5, 9, 4),
    ]  # fmt: skip
    uneven = Branches("u", ((Conv("x", 2, 3),), ()))
    with pytest.raises(ValueError, match=r"stage u: its branches give .* sides, \[7, 9\]"):
        out_size(uneven, 9)
    with pytest.raises(ValueError, match="stage x: square maps must stay square"):
        out_size(Conv("x", 2, (1, 3)), 9)


# -- first weights ---------------------------------------------------------------------------------


def test_first_weights_are_those_of_the_dialect():
    for dialect, wanted in (("paper", "xavier"), ("torchvision", "normal"), ("cifar", "default")):
        assert GoogLeNet(3, 1, 32, dialect=dialect, variant="short4").init == wanted
    net = GoogLeNet(3, 1, 32, generator=np.random.default_rng(0))
    weight = net.inception_4e.conv_3x3.weight.data
    bound = np.sqrt(6 / (9 * (160 + 320)))
    assert np.abs(weight).max() == pytest.approx(bound, rel=1e-3)
    assert weight.std() == pytest.approx(bound / np.sqrt(3), rel=0.01)
    assert set(net.inception_4e.conv_3x3.bias.data) == {np.float32(0.2)}
    assert not net.classifier.bias.data.any()
    net = GoogLeNet(3, 1, 32, dialect="torchvision", generator=np.random.default_rng(0))
    assert net.inception_4e.conv_3x3.weight.data.std() == pytest.approx(0.01, rel=0.02)
    assert set(INITS) == {"xavier", "he", "normal", "default", "inception"}


# -- lists of modules ------------------------------------------------------------------------------

NAMES = st.text("abcdefgh_0123456789", min_size=1, max_size=6)
WIDTHS = st.tuples(*[st.integers(1, 9999)] * 6)


@given(st.lists(st.tuples(NAMES, WIDTHS | st.sampled_from(sorted(ROWS))), min_size=1, max_size=6,
                unique_by=lambda pair: pair[0]))  # fmt: skip
def test_what_is_written_is_read(modules):
    words = [
        f"{name}={row if isinstance(row, str) else '/'.join(map(str, row))}"
        for name, row in modules
        if name != "pool"
    ]
    stages = parse_stages(["pool", *words, "last=3a"])
    assert parse_stages(write_stages(stages)) == stages


@pytest.mark.parametrize(
    ("stages", "sentence"),
    [
        ("3a 3x", "'3x' is no row of Table 1; these are 3a, 3b"),
        ("3a 3a", "'3a' stands there twice; give the second another name: 3a2=3a"),
        ("pool pool", "at least one Inception module is needed"),
        ("", "at least one Inception module is needed"),
        ("a=1/2/3", "'a' needs 6 widths (conv_1x1, conv_3x3_reduce,"),
        ("a=1/2/3/0/5/6", "conv_5x5_reduce of 'a' must be a width from 1 to 65536, got '0'"),
        ("a=1/2/3/-4/5/6", "conv_5x5_reduce of 'a' must be a width from 1 to 65536, got '-4'"),
        ("a-b=3a", "'a-b=3a' is none; each is pool, a row of Table 1"),
        ("a=", "'' is no row of Table 1"),
        (["3a", 4], "words were needed, such as '3a', got 4"),
        (" ".join(f"m{i}=3a" for i in range(101)), "at most 100 can be listed, got 101"),
    ],
)
def test_lists_that_cannot_be(stages, sentence):
    with pytest.raises(ValueError, match="^stages: ") as error:
        GoogLeNet(2, 1, 32, stages=stages)
    assert sentence in str(error.value)


def test_unknown_dialects_and_variants_and_first_weights():
    with pytest.raises(ValueError, match="dialect must be one of paper, torchvision, cifar, got"):
        GoogLeNet(dialect="caffe")
    with pytest.raises(ValueError, match="variant must be one of naive, .*, got 'tiny'"):
        GoogLeNet(variant="tiny")
    with pytest.raises(ValueError, match="init must be one of xavier, he, .*, got 'zero'"):
        GoogLeNet(init="zero")


def test_images_that_end_before_the_stages_do():
    with pytest.raises(ValueError, match="stage pool5: a window of 3 does not fit into .* 1×1"):
        GoogLeNet(2, 1, 32, stages="3a pool pool pool 5b")


TOML = """
stages = "3a 3b pool 6x pool 5b"
[rows.6x]
conv_1x1 = 64
conv_3x3_reduce = 96
conv_3x3 = 128
conv_5x5_reduce = 16
conv_5x5 = 32
pool_proj = 33
"""


def test_a_file_of_modules(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(TOML)
    assert read_stages(file) == "3a 3b pool 6x=64/96/128/16/32/33 pool 5b"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("stages", "modules"), "got 'modules' beside them"),
        (("conv_5x5 = 32", ""), "see 'conv_5x5'"),
        (("conv_5x5 = 32", "conv_7x7 = 32"), "rows.6x needs a width for each of conv_1x1"),
        (("conv_1x1 = 64", "conv_1x1 = 0"), "conv_1x1 of '6x' must be a width from 1 to 65536"),
        (("conv_1x1 = 64", "conv_1x1 = 6.4"), "conv_1x1 of '6x' must be a width"),
        (("6x pool", "pool"), "rows.6x does not stand among the stages"),
        (("[rows.6x]", "[rows]"), "rows must be tables"),
        (("stages =", "stages"), "Expected '='"),
        (('"3a 3b', '["3a 3b'), "Unclosed array"),
    ],
)
def test_files_that_cannot_be(tmp_path, change, sentence):
    file = tmp_path / "mine.toml"
    file.write_text(TOML.replace(*change))
    with pytest.raises(ValueError, match="mine.toml") as error:
        read_stages(file)
    assert sentence in str(error.value)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match="mine.toml"):
        read_stages(file)


def test_local_response_normalisation_can_be_left_out():
    whole, bare = design("paper"), design("paper", lrn=False)
    names = [stage.name for stage in whole.stages]
    assert [n for n in names if n not in [s.name for s in bare.stages]] == ["lrn1", "lrn2"]
    assert bare.name == "GoogLeNet, dialect paper, without LRN"
    assert bare.norm is None
    assert design("cifar", lrn=False) == design("cifar")
    both = design("paper", batch_norm=True, lrn=False)
    assert both == design("paper", batch_norm=True)
