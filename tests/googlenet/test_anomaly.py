"""Numbers that are not finite: the operation is named, and nothing of them is kept."""

import re

import numpy as np
import pytest

import minigrad
from googlenet.anomaly import Lookout, NotFiniteError, check_arrays
from googlenet.health import Health
from googlenet.pictures import some
from googlenet.recipes import Recipe
from googlenet.run_folder import CHECKPOINT, RunFolder, network
from googlenet.train import Training
from minigrad import checkpoint, nn, tensor
from minigrad.data import FashionMNIST

RECIPE = Recipe(epochs=2, batch_size=16)
CONFIG = {
    "asked": {"data": "embedded", "test_data": None, "channels": None},
    "fingerprints": {}, "classes": [],
}  # fmt: skip


def small_training(**options):
    minigrad.manual_seed(0)
    training, test = some(FashionMNIST(train=True), 64), some(FashionMNIST(train=False), 32)
    net = network(options.pop("recipe", RECIPE), 10, 1)
    return Training(net, RECIPE, training, test, **options)


class After:
    """Does something after a step."""

    def __init__(self, step, action):
        self.left, self.action = step, action

    def step(self, images, means, learning_rate):
        self.left -= 1
        if self.left == 0:
            self.action()

    def epoch(self, metrics):
        pass


def arrays_of(training):
    return {name: array.copy() for name, array in training.net.state_dict().items()}


def test_an_overflow_on_the_way_forward_names_operation_and_layer(tmp_path):
    """The run stops; the parameters are as before the step, and the checkpoint is the last good."""
    training = small_training()
    folder = RunFolder.create(tmp_path / "run")
    folder.write_config(Recipe(), **CONFIG)
    folder.training, folder.every = training, 0.0
    weight = training.net.inception_4b.conv_3x3.weight

    def poison():
        weight.data[...] = 3e38

    seen = []
    with pytest.raises(NotFiniteError) as caught:
        training.run(folder, After(3, poison), After(3, lambda: seen.append(arrays_of(training))))
    said = str(caught.value)
    assert re.search(r"loss is not finite .*; conv2d: its output has \d+ of \d+ numbers", said)
    assert "(in inception_4b.conv_3x3)" in said
    assert training.batches.state_dict() == {"epoch": 0, "batches": 4}
    for name, array in arrays_of(training).items():
        np.testing.assert_array_equal(array, seen[0][name], name)
    arrays, _ = checkpoint.load(tmp_path / "run" / CHECKPOINT)
    assert all(np.isfinite(array).all() for array in arrays.values())
    assert np.abs(arrays["model.inception_4b.conv_3x3.weight"]).max() < 1


def test_an_overflow_on_the_way_back_is_noticed_though_the_loss_is_finite(monkeypatch):
    """And before the optimiser carries it into the parameters."""
    training = small_training()
    usual = training.net.inception_3b.forward

    def forward(x):
        result = usual(x)
        bad = tensor(np.full(result.shape, 3e38, np.float32))
        return result + (result * 0.0) * bad * bad  # adds nothing; 0 · inf on the way back

    monkeypatch.setattr(training.net.inception_3b, "forward", forward)
    before = arrays_of(training)
    with pytest.raises(NotFiniteError) as caught:
        training.run()
    said = str(caught.value)
    assert "the gradient of " in said
    assert "multiply: the gradient it sends to" in said
    for name, array in arrays_of(training).items():
        np.testing.assert_array_equal(array, before[name], name)


def test_the_step_is_done_again_with_the_same_batch_and_dropout(monkeypatch):
    training = small_training()
    step = training.step
    usual, losses, drawn = step._gradients, [], []

    def gradients(images, labels):
        drawn.append(minigrad.random.default.drawn)
        numbers = usual(images, labels)
        losses.append({name: value.item() for name, value in numbers.items()})
        return numbers

    monkeypatch.setattr(step, "_gradients", gradients)
    step.gradients = gradients
    monkeypatch.setattr(step.lookout, "sees", lambda loss: "a false alarm" * (len(losses) == 2))
    with pytest.raises(NotFiniteError, match="a false alarm; done again, .* gave none"):
        training.run()
    assert len(losses) == 3
    assert losses[2] == losses[1] != losses[0]
    assert drawn[2] == drawn[1] != drawn[0]


def test_parameters_that_were_wrong_already_are_named():
    training = small_training()

    def poison():
        training.net.inception_5a.pool_proj.weight.data[0, 0] = np.nan

    with pytest.raises(NotFiniteError, match=r"before the step already, inception_5a\.pool_proj"):
        training.run(After(2, poison))


def test_where_steps_do_not_look_the_watcher_does(tmp_path):
    """As on a GPU: within the steps since it last looked; and no checkpoint comes of it."""
    training = small_training()
    training.step.lookout = None
    health = Health(print, RECIPE, training.batches.dataset, training.test_batches.dataset)
    health.every = 0.0
    folder = RunFolder.create(tmp_path / "run")
    folder.write_config(RECIPE, **CONFIG)
    folder.training, folder.every = training, 0.0

    def poison():
        training.net.conv1.weight.data[...] = np.nan

    with pytest.raises(NotFiniteError, match="within the last step the loss"):
        training.run(health, folder, After(2, poison))
    arrays, _ = checkpoint.load(tmp_path / "run" / CHECKPOINT)
    assert all(np.isfinite(array).all() for array in arrays.values())


def test_a_dead_head_of_a_real_network_is_named(monkeypatch):
    """Its hidden layer gives nothing any more, and the others learn."""
    monkeypatch.setattr("googlenet.health.WINDOW", 40)
    minigrad.manual_seed(0)
    recipe = Recipe(epochs=2, batch_size=8, aux_dropout=0.0, dropout=0.0)
    training, test = some(FashionMNIST(train=True), 320), some(FashionMNIST(train=False), 32)
    net = network(recipe, 10, 1)
    net.aux_4a.fc.bias.data[...] = -1e6
    said = []
    run = Training(net, recipe, training, test)
    health = Health(lambda *what: said.append(what), recipe, training, test, every=0.0)
    health.patience = 50
    assert run.run(health)
    ((kind, text),) = said
    assert kind == "stuck"
    assert text.startswith("The 4a head does no better than guessing after 80 steps")


def test_healthy_steps_are_only_looked_at(monkeypatch):
    training = small_training()
    monkeypatch.setattr(Lookout, "cause", lambda *_: pytest.fail("it was done again"))
    assert training.run()


def test_looking_changes_no_number():
    looking = small_training()
    assert looking.run()
    other = small_training()
    other.step.lookout = None
    assert other.run()
    for name, array in arrays_of(looking).items():
        np.testing.assert_array_equal(array, arrays_of(other)[name], name)


def test_a_sum_that_overflows_is_no_alarm():
    """Only numbers count, not their sum."""
    layer = nn.Linear(2, 2)
    layer.weight.grad = tensor(np.full((2, 2), 3e38, np.float32))
    assert Lookout(layer).sees(tensor(1.0)) == ""
    layer.weight.grad.data[0, 0] = -np.inf
    assert Lookout(layer).sees(tensor(1.0)) == "the gradient of weight is not finite"
    assert Lookout(layer, gradients=False).sees(tensor(1.0)) == ""
    assert Lookout(layer, gradients=False).sees(tensor(np.inf)) == "the loss is not finite (inf)"


@pytest.mark.parametrize("where", ["parameter", "moment"])
def test_no_checkpoint_is_written_of_numbers_that_are_not_finite(tmp_path, where):
    training = small_training()
    folder = RunFolder.create(tmp_path / "run")
    folder.write_config(Recipe(), **CONFIG)
    folder.training, folder.every = training, 1e9
    training.run(After(1, training.stop))
    folder.keep()
    good = (tmp_path / "run" / CHECKPOINT).read_bytes()
    if where == "parameter":
        training.net.classifier.weight.data[3, 3] = np.inf
    else:
        arrays = training.optimizer.state_dict()["arrays"]
        next(a for a in arrays.values() if a.ndim == 4)[0, 0, 0, 0] = np.nan
    with pytest.raises(NotFiniteError, match="the checkpoint was not written: (model|optimizer)"):
        folder.keep()
    assert (tmp_path / "run" / CHECKPOINT).read_bytes() == good
    folder.close()


def test_integers_and_empty_arrays_are_finite():
    check_arrays({"steps": np.array(3), "none": np.zeros((0, 2), np.float32)}, "it")
    with pytest.raises(NotFiniteError, match="a, b, c and 1 more have numbers"):
        check_arrays({n: np.array([np.nan]) for n in "abcd"}, "it")
