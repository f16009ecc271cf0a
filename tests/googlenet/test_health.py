"""Troubles of training: each is named when it is there, once, and healthy runs hear nothing."""

import math

import numpy as np
import pytest

from googlenet import health as module
from googlenet.anomaly import NotFiniteError
from googlenet.health import Health, median_side
from googlenet.labels import entropy, shares
from googlenet.recipes import Recipe
from googlenet.train import RunningMean
from minigrad import tensor
from minigrad.data import ArrayDataset

HEADS = ("logits", "aux_4a", "aux_4d")


def dataset(*counts, side=4):
    labels = np.repeat(np.arange(len(counts)), counts)
    classes = [f"class {i}" for i in range(len(counts))]
    return ArrayDataset(np.zeros((len(labels), 1, side, side), np.uint8), labels, classes)


EVEN = dataset(*[500] * 10)
TEST = dataset(*[100] * 10)
LN10 = math.log(10)


class Run:
    """A training that is only numbers: 64 pictures a step."""

    def __init__(self, training=EVEN, test=TEST, every=0.0, steps_of_epoch=78, **recipe):
        self.said, self.steps_of_epoch = [], steps_of_epoch
        self.health = Health(self.warn, Recipe(**recipe), training, test, every=every)
        self.means, self.steps, self.epochs = RunningMean(), 0, 0

    def warn(self, kind, text):
        self.said.append((kind, text))

    @property
    def kinds(self):
        return [kind for kind, _ in self.said]

    def step(self, logits, aux_4a=None, aux_4d=None):
        losses = {"logits": logits, "aux_4a": aux_4a, "aux_4d": aux_4d}
        known = {f"loss_{h}": tensor(float(v)) for h, v in losses.items() if v is not None}
        self.means.add(64, **known, loss=known["loss_logits"])
        self.health.step(64, self.means, 1e-3)
        self.steps += 1
        if self.steps_of_epoch and self.steps % self.steps_of_epoch == 0:
            self.epoch()

    def epoch(self, test_loss=1.0, test_accuracy=0.6543):
        self.epochs += 1
        self.means = RunningMean()
        row = {"epoch": self.epochs, "test_loss": test_loss, "test_accuracy": test_accuracy}
        self.health.epoch(row)


def noise(seed=0):
    rng = np.random.default_rng(seed)
    return lambda: float(rng.normal(0, 0.03))


def healthy(step, floor=0.63):
    """The default run's curve, roughly: 2.3 for a warm-up, then down."""
    return floor + (2.33 - floor) * math.exp(-max(0, step - 30) / 150)


@pytest.mark.parametrize("every", [0.0, 1e9])  # looks at every step; only at the end of epochs
def test_a_healthy_run_hears_nothing(every):
    run, wobble = Run(every=every), noise()
    for i in range(948):
        run.step(*(healthy(i) + wobble() for _ in HEADS))
    assert run.said == []
    assert set(run.health.best) == set(HEADS)  # it was looked at
    assert run.health.best["logits"] < 0.75


@pytest.mark.parametrize("every", [0.0, 1e9])
def test_a_head_that_stays_at_guessing_is_named_once(every):
    run, wobble = Run(every=every), noise()
    for i in range(900):
        run.step(healthy(i), LN10 + wobble(), healthy(i))
        if i < module.PATIENCE - 1:
            assert run.said == []
    assert run.kinds == ["stuck"]
    text = run.said[0][1]
    assert "The 4a head does no better than guessing" in text
    assert "2.303 (ln 10)" in text
    assert "--lr (now 0.0007)" in text
    assert "--batch-norm" in text


def test_all_heads_stuck_is_one_warning():
    run, wobble = Run(batch_norm=True), noise()
    for _ in range(600):
        run.step(*(LN10 + wobble() for _ in HEADS))
    assert run.kinds == ["stuck"]
    assert "The main, 4a and 4d heads do no better" in run.said[0][1]
    assert "--batch-norm" not in run.said[0][1]  # it is there already


def test_a_short_run_is_not_called_stuck():
    run = Run()
    for _ in range(module.PATIENCE):
        run.step(LN10, LN10, LN10)
    assert run.said == []


def test_a_head_that_is_slow_is_not_stuck():
    run, wobble = Run(), noise()
    for i in range(700):
        run.step(2.25 - 0.0002 * i + wobble())
    assert run.said == []


def test_guessing_depends_on_how_frequent_classes_are():
    """Of nine pictures in ten one class: who guesses has a loss far below ln 2."""
    uneven = dataset(900, 100)
    run = Run(uneven, uneven, label_smoothing=0.0)
    guess = -0.9 * math.log(0.9) - 0.1 * math.log(0.1)
    assert run.health.guess == pytest.approx(guess)
    for _ in range(500):
        run.step(guess)
    assert run.kinds == ["stuck"]
    assert f"guessing gives {guess:.3f}." in run.said[0][1]  # no logarithm beside it


def test_many_classes_and_a_long_warm_up_need_more_patience():
    assert Run().health.patience == 300
    assert Run(dataset(*[20] * 200), dataset(*[1] * 200)).health.patience == 1000
    assert Run(epochs=100, warmup=0.1).health.patience == 2 * 790


def test_smoothed_entropy_is_the_least_loss_of_a_constant():
    rng = np.random.default_rng(1)
    share = np.array([0.7, 0.2, 0.1])
    least = entropy(share, 0.1)
    target = 0.9 * share + 0.1 / 3
    for _ in range(200):
        said = rng.dirichlet(np.ones(3))
        assert -(target * np.log(said)).sum() >= least
    assert least == pytest.approx(-(target * np.log(target)).sum())


def test_a_run_that_diverges_is_named():
    run, wobble = Run(), noise()
    for i in range(500):
        run.step(*(healthy(i) + wobble() for _ in HEADS))
    assert run.said == []
    for _ in range(300):
        run.step(*(4.0 + wobble() for _ in HEADS))
    assert run.kinds == ["diverging"]
    assert "main 4" in run.said[0][1]
    assert "lower --lr" in run.said[0][1]


def test_a_run_that_is_far_above_guessing_from_the_start_is_named():
    run = Run()
    for _ in range(300):
        run.step(80.0)
    assert run.kinds == ["diverging"]


def test_a_bump_is_no_divergence():
    run = Run()
    for i in range(900):
        run.step(6.0 if 400 <= i < 460 else healthy(i))
    assert run.said == []


def test_a_network_that_says_the_same_of_all_pictures_is_named():
    test = dataset(50, 150)
    run = Run(dataset(5000, 5000), test, steps_of_epoch=None)
    for epoch in range(6):
        for _ in range(77):
            run.step(0.4)
        run.epoch(entropy(shares(test)), 0.75)
        if 77 * (epoch + 1) <= module.PATIENCE:
            assert run.said == []
    assert run.kinds == ["collapsed"]
    assert "'class 1'" in run.said[0][1]
    assert "0.7500" in run.said[0][1]


@pytest.mark.parametrize(
    ("loss", "accuracy"),
    [
        (0.3, 0.75),  # the accuracy by chance, but it knows more
        (0.5623, 0.76),  # the loss, but it says different things
    ],
)
def test_chance_is_no_collapse(loss, accuracy):
    test = dataset(50, 150)
    run = Run(dataset(5000, 5000), test, steps_of_epoch=None)
    for _ in range(6):
        for _ in range(77):
            run.step(0.4)
        run.epoch(loss, accuracy)
    assert run.said == []


def test_two_epochs_of_few_steps_are_no_collapse():
    run = Run(steps_of_epoch=None)
    for _ in range(12):
        run.step(2.3)
        run.epoch(LN10, 0.1)
    assert run.said == []


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_within_what_was_looked_at(wrong):
    """On a GPU, where steps do not look themselves."""
    run = Run(every=1e9)
    for _ in range(10):
        run.step(2.0)
    run.health._looked = -1e10  # some time has gone by
    run.step(2.0)
    for _ in range(4):
        run.step(2.0)
    run.step(wrong)
    with pytest.raises(NotFiniteError, match="within the last 5 steps .* --detect-anomaly"):
        run.epoch()


def test_a_test_loss_that_is_not_finite_is_a_warning():
    run = Run()
    run.step(2.0)
    run.epoch(math.nan, 0.3)
    assert run.kinds == ["test-loss"]


def test_a_run_that_goes_on_within_an_epoch_is_not_judged_by_what_was_before():
    run = Run()
    run.means = RunningMean({"loss_logits": 1e6, "loss": 1e6}, 640)
    for i in range(900):
        run.step(healthy(i))
    assert run.said == []


# -- the loader ------------------------------------------------------------------------------------


class Loader:
    def __init__(self, data, workers=2):
        self.dataset, self.workers, self.seconds_waited = data, workers, 0.0


def trained_with(monkeypatch, waited, seconds, data=EVEN, workers=2, cores=8):
    """Steps of a second each, of which a share is spent waiting for pictures."""
    now = [1000.0]
    monkeypatch.setattr(module.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(module.os, "cpu_count", lambda: cores)
    run, loader = Run(), Loader(data, workers)
    run.health.loader = loader
    run.health._waiting.loader = loader
    for i in range(seconds):
        now[0] += 1.0
        loader.seconds_waited += waited if i % 78 else 30.0  # an epoch's first batch is slow
        run.step(healthy(i))
    return run


def test_a_slow_loader_is_named_with_what_to_try(monkeypatch):
    run = trained_with(monkeypatch, 0.4, 60)
    assert run.kinds == ["loader"]
    assert "40% of the time" in run.said[0][1]
    assert "--workers 4 (now 2)" in run.said[0][1]
    assert "smaller" not in run.said[0][1]


def test_large_pictures_are_named(monkeypatch):
    run = trained_with(monkeypatch, 0.4, 60, dataset(10, 10, side=300), workers=8)
    assert "about 300 pixels, and the network takes 32" in run.said[0][1]
    assert "--workers" not in run.said[0][1]


def test_with_nothing_else_to_try_there_is_still_something(monkeypatch):
    run = trained_with(monkeypatch, 0.4, 60, workers=8)
    assert "Try pictures in a format" in run.said[0][1]


@pytest.mark.parametrize(("waited", "seconds"), [(0.2, 200), (0.9, 15)])
def test_a_loader_that_is_fast_enough_or_young_hears_nothing(monkeypatch, waited, seconds):
    assert trained_with(monkeypatch, waited, seconds).said == []


def test_the_side_of_pictures_that_cannot_be_read_is_not_asked_for():
    class Damaged:
        classes = ("a", "b")

        def __len__(self):
            return 3

        def __getitem__(self, index):
            raise ValueError("damaged")

    assert median_side(Damaged()) == 0
    assert median_side(dataset(3, 3, side=7)) == 7
