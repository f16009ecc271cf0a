"""What recipes become: rates at steps worked out by hand, groups, optimisers, averages."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from googlenet.optimization import average_for, groups, optimizer_for, rates, schedule_for
from googlenet.recipes import RECIPES, Recipe, changed, names
from minigrad import nn, optim


def of(name):
    return RECIPES[name].recipe


# -- rates ----------------------------------------------------------------------------------------


def rate(name, per_epoch, *epochs):
    return rates(of(name), per_epoch, [round(epoch * per_epoch) for epoch in epochs])


def test_the_papers_rate():
    found = rate("paper", 40_037, 0, 7.99, 8, 16, 59)
    assert found == pytest.approx([0.01, 0.01, 0.0096, 0.009216, 0.01 * 0.96**7])


def test_caffes_rates():
    found = rates(of("caffe"), 40_037, [0, 319_999, 320_000, 2_399_999])
    assert found == pytest.approx([0.01, 0.01, 0.0096, 0.01 * 0.96**7])
    quick = rates(of("caffe-quick"), 40_037, [0, 600_000, 1_800_000, 2_399_999, 2_400_000])
    assert quick == pytest.approx([0.01, 0.01 * 0.75**0.5, 0.005, 0.01 / 2_400_000**0.5, 0.0])


@pytest.mark.parametrize("per_epoch", [1, 196, 197])
def test_kerass_rate_counts_its_epochs_from_one(per_epoch):
    found = rate("keras-cifar10", per_epoch, *range(25))
    assert found == pytest.approx([0.01 * 0.96 ** ((1 + epoch) // 8) for epoch in range(25)])
    last = rates(of("keras-cifar10"), per_epoch, [7 * per_epoch - 1, 7 * per_epoch])
    assert last == pytest.approx([0.01, 0.0096])


def test_the_rate_of_pytorch_cifar():
    assert rate("pytorch-cifar", 782, 0, 0.999, 1, 13) == pytest.approx([1, 1, 0.7, 0.7**13])


def test_the_rate_of_cifar100():
    found = rates(of("cifar100"), 391, [0, 194, 390, 391])
    assert found == pytest.approx([0.1 / 392, 0.1 * 195 / 392, 0.1 * 391 / 392, 0.1])
    found = rate("cifar100", 391, 59.99, 60, 120, 160, 199)
    assert found == pytest.approx([0.1, 0.02, 0.004, 0.0008, 0.0008])


def test_the_rate_of_inception_v3():
    assert of("inception-v3").steps(1_281_167) == 801  # of 50 batches of 32
    found = rate("inception-v3", 801, 0, 1.99, 2, 4, 99)
    assert found == pytest.approx([0.045, 0.045, 0.0423, 0.045 * 0.94**2, 0.045 * 0.94**49])


def test_our_own_rate():
    found = rates(Recipe(), 79, [0, 46, 47, 947])
    turn = math.pi * 900 / 901
    assert found == pytest.approx(
        [7e-4 / 48, 7e-4 * 47 / 48, 7e-4, 7e-4 * (1 + math.cos(turn)) / 2]
    )


@given(
    size=st.floats(0.3, 9), share=st.floats(0, 0.99), per_epoch=st.integers(1, 50),
    gamma=st.floats(0.1, 1),
)  # fmt: skip
def test_steps_with_an_offset_are_their_formula(size, share, per_epoch, gamma):
    offset = size * share
    recipe = Recipe(
        schedule="step", step_size=size, step_offset=offset, gamma=gamma, warmup=0.0, epochs=10
    )
    size, offset = size * per_epoch, offset * per_epoch
    steps = range(10 * per_epoch)
    found = rates(recipe, per_epoch, steps)
    for step, value in zip(steps, found, strict=True):
        near = abs((step + offset) / size - round((step + offset) / size)) * size <= 1
        if not near:  # falls are rounded to whole steps
            assert value == pytest.approx(recipe.lr * gamma ** ((step + offset) // size))


@pytest.mark.parametrize("offset", [0.0, 0.05])
def test_a_rate_may_fall_several_times_in_a_step(offset):
    recipe = Recipe(
        schedule="step", step_size=0.1, step_offset=offset, gamma=0.9, warmup=0.0, epochs=4, lr=1.0
    )
    found = rates(recipe, 4, range(16))  # 2.5 falls in each step
    wanted = [0.9 ** math.floor((step + 4 * offset) / 0.4) for step in range(16)]
    assert found == pytest.approx(wanted)
    none = Recipe(schedule="step", step_size=5e-324, warmup=0.0, gamma=0.9)
    assert rates(none, 10**6, [0, 1, 10**6]) == [none.lr, 0.0, 0.0]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"schedule_length": 1e308}, "schedule_length must be less than 1e"),
        ({"schedule": "step", "step_size": 1e308}, "step_size must be less than 1e"),
        ({"warmup": 0.0, "warmup_epochs": 1e308}, "warmup_epochs must be less than 1e"),
        ({"schedule": "multistep", "milestones": (1, 1e308)}, "milestones must be less than 1e"),
        (
            {"schedule": "multistep", "milestones": (0.01, 0.02)},
            "milestones must be at least a step apart, but 0.01, 0.02 are the steps 1, 1",
        ),
    ],
)
def test_a_schedule_that_cannot_be_counted_is_refused(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        rates(Recipe(**options), 10, [0])


def test_other_schedules():
    epochs = {"warmup": 0.0, "epochs": 4, "lr": 1.0}
    smooth = Recipe(schedule="exponential", gamma=0.5, **epochs)
    assert rates(smooth, 10, [0, 5, 10, 20]) == pytest.approx([1, 0.5**0.5, 0.5, 0.25])
    constant = Recipe(schedule="constant", warmup=0.5, epochs=2, lr=1.0)
    assert rates(constant, 10, [0, 4, 10, 19]) == pytest.approx([1 / 11, 5 / 11, 1, 1])
    short = Recipe(schedule="cosine", schedule_length=2, floor=0.1, **epochs)
    assert rates(short, 10, [0, 10, 20, 30]) == pytest.approx([1, 0.55, 0.1, 0.1])
    both = Recipe(schedule="multistep", schedule_unit="steps", milestones=(3, 7), **epochs)
    assert rates(both, 10, [2, 3, 7]) == pytest.approx([1, 0.1, 0.01])


# -- groups, optimisers, averages -----------------------------------------------------------------


class Net(nn.Module):
    def __init__(self):
        self.conv = nn.Conv2d(1, 2, 1)
        self.aux_4a = nn.Sequential()
        self.aux_4a.classifier = nn.Linear(2, 2)
        self.classifier = nn.Linear(2, 2)


def by_name(recipe, net):
    found = groups(net, recipe)
    known = {id(p): name for name, p in net.named_parameters()}
    return [(g["lr"], g["weight_decay"], sorted(known[id(p)] for p in g["params"])) for g in found]


def test_caffes_biases_train_at_twice_the_rate_and_do_not_decay():
    weights, biases = by_name(of("caffe"), Net())
    assert weights == (0.01, 2e-4, ["aux_4a.classifier.weight", "classifier.weight", "conv.weight"])
    assert biases == (0.02, 0.0, ["aux_4a.classifier.bias", "classifier.bias", "conv.bias"])


def test_one_group_where_nothing_differs_in_the_order_of_the_network():
    net = Net()
    (group,) = groups(net, Recipe())
    assert [id(p) for p in group["params"]] == [id(p) for p in net.parameters()]


def test_the_backbone_at_a_lower_rate_comes_after_the_classifiers():
    recipe = Recipe(lr=1.0, weight_decay=0.1, backbone_lr=0.1, bias_lr=2, bias_weight_decay=0)
    found = by_name(recipe, Net())
    assert found[0] == (1.0, 0.1, ["aux_4a.classifier.weight", "classifier.weight"])
    assert (2.0, 0.0, ["aux_4a.classifier.bias", "classifier.bias"]) in found
    assert (0.1, 0.1, ["conv.weight"]) in found
    assert (0.2, 0.0, ["conv.bias"]) in found


OPTIMIZERS = {
    "sgd": (optim.SGD, {"momentum": 0.3, "nesterov": True}),
    "adam": (optim.Adam, {"betas": (0.5, 0.6), "eps": 0.1}),
    "adamw": (optim.AdamW, {"betas": (0.5, 0.6), "eps": 0.1}),
    "rmsprop": (optim.RMSprop, {"momentum": 0.3, "alpha": 0.5, "eps": 0.1}),
    "adadelta": (optim.Adadelta, {"rho": 0.5, "eps": 0.1}),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimisers_get_all_that_the_recipe_says(name):
    kind, options = OPTIMIZERS[name]
    recipe = Recipe(optimizer=name, lr=0.2, weight_decay=0.01, **options)
    optimizer = optimizer_for(recipe, list(Net().parameters()))
    assert type(optimizer) is kind
    (group,) = optimizer.groups
    assert {n: group[n] for n in options} == options
    assert (group["lr"], group["weight_decay"]) == (0.2, 0.01)
    assert set(options) <= set(names()) - set(recipe.unused())


def test_schedules_change_all_groups_in_proportion():
    optimizer = optimizer_for(of("caffe"), groups(Net(), of("caffe")))
    schedule = schedule_for(
        changed(of("caffe"), {"schedule_unit": "epochs", "step_size": 1}), optimizer, 2
    )
    schedule.step()
    schedule.step()
    assert [g["lr"] for g in optimizer.groups] == pytest.approx([0.0096, 0.0192])


def test_averages():
    net = Net()
    assert average_for(Recipe(), net, 10) is None
    mean = average_for(Recipe(average="mean", average_start=0.5, epochs=4), net, 10)
    assert (mean.decay, mean.start) == (None, 20)
    assert average_for(Recipe(average="ema", average_decay=0.9), net, 10).decay == 0.9
