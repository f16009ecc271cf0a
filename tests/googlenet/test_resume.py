"""A run that was stopped, kept and resumed is the run that was not, to the bit."""

import fcntl
import json

import numpy as np
import pytest

import minigrad
from googlenet.recipes import Recipe
from googlenet.run_folder import RunFolder, load_model, network
from googlenet.train import Training
from minigrad import checkpoint
from minigrad.data import ArrayDataset

TIMES = {"seconds", "images_per_second"}
RECIPE = Recipe(batch_size=3, epochs=2, seed=5)
CONFIG = {
    "asked": {"data": "embedded", "test_data": None, "channels": None},
    "data": "drawn pictures", "fingerprints": {"training": "", "test": ""},
    "classes": ["a", "b", "c"],
}  # fmt: skip


def pictures(count=8, seed=0, classes="abc"):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, 1, 28, 28), dtype=np.uint8)
    return ArrayDataset(images, rng.integers(0, len(classes), count), classes)


def training(recipe=RECIPE, data=None):
    minigrad.manual_seed(recipe.seed)
    data = data or pictures()
    net = network(recipe, len(data.classes), 1)
    return Training(net, recipe, data, data)


class StopAfter:
    """Stops a training after so many steps, or while it is tested after so many epochs."""

    def __init__(self, run, steps):
        self.run, self.steps = run, steps

    def step(self, images, means, rate):
        self.steps -= 1
        if self.steps == 0:
            self.run.stop()

    def epoch(self, metrics):
        pass


def figures(run):
    return [{k: v for k, v in row.items() if k not in TIMES} for row in run.history]


def kept(run):
    """Let a state go through JSON and copies, as through files.

    Before another training is made, which begins the stream of random keys anew.
    """
    state = run.state_dict()
    arrays = {name: array.copy() for name, array in state["arrays"].items()}
    return {"arrays": arrays, "values": json.loads(json.dumps(state["values"]))}


@pytest.fixture(scope="module")
def undisturbed():
    run = training()
    assert run.run()
    return run


def assert_same(run, undisturbed):
    assert run.finished
    assert figures(run) == figures(undisturbed)
    for name, array in undisturbed.net.state_dict().items():
        np.testing.assert_array_equal(run.net.state_dict()[name], array, name)


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5, 6])
def test_stopped_after_any_step(undisturbed, steps):
    """The third is the last of the first epoch, the sixth that of the second."""
    first = training()
    assert not first.run(StopAfter(first, steps))
    state = kept(first)
    minigrad.manual_seed(99)  # whatever happened in between
    minigrad.random.default.next_key()
    again = training()
    again.load_state_dict(state)
    assert again.run()
    assert_same(again, undisturbed)


def test_stopped_in_the_test(undisturbed, monkeypatch):
    from googlenet import train as module

    first, sound = training(), module.evaluate

    def interrupted(net, batches, precision, stopped):
        first.stop()
        return sound(net, batches, precision, stopped)

    monkeypatch.setattr(module, "evaluate", interrupted)
    assert not first.run()
    assert first.history == []
    monkeypatch.undo()
    state, again = kept(first), training()
    again.load_state_dict(state)
    assert again.run()
    assert_same(again, undisturbed)


def test_stopped_between_all_steps(undisturbed):
    run = training()
    for _ in range(20):
        if run.run(StopAfter(run, 1)):
            break
        state, run = kept(run), training()
        run.load_state_dict(state)
    assert_same(run, undisturbed)


def test_with_loss_scaling_and_batch_norm():
    recipe = Recipe(batch_size=4, epochs=2, precision="mixed", batch_norm=True, aux_heads=False)
    whole = training(recipe)
    assert whole.run()
    first = training(recipe)
    first.run(StopAfter(first, 3))
    state, again = kept(first), training(recipe)
    again.load_state_dict(state)
    assert again.run()
    assert_same(again, whole)


def test_what_it_says_of_time_adds_up(undisturbed):
    first = training()
    first.run(StopAfter(first, 4))
    before, state, again = first.seconds, kept(first), training()
    again.load_state_dict(state)
    assert again.run()
    assert again.history[-1]["seconds"] > before > again.history[0]["seconds"]


# -- the folder ----------------------------------------------------------------------------------


def stopped_run(path, recipe=RECIPE):
    folder = RunFolder.create(path)
    folder.write_config(recipe, **CONFIG)
    folder.training = run = training(recipe)
    run.run(StopAfter(run, 2), folder)
    folder.keep()
    return folder


def test_a_folder_goes_on(tmp_path, undisturbed):
    folder = stopped_run(tmp_path / "run")
    folder.close()
    assert not folder.finished
    with pytest.raises(FileNotFoundError, match="is not finished: googlenet train --resume"):
        load_model(tmp_path / "run")
    again = RunFolder.open(tmp_path / "run")
    assert again.recipe() == RECIPE
    again.training = run = training(again.recipe())
    assert again.resume(run)
    assert run.run(again)
    again.finish("abc", run.transform)
    assert_same(run, undisturbed)
    names = {path.name for path in again.path.iterdir()}
    assert names == {"config.json", "metrics.csv", "curves.png", "model.safetensors", ".lock"}
    model = load_model(tmp_path / "run")
    assert (model.recipe, model.classes) == (RECIPE, ("a", "b", "c"))
    image = pictures()[0][0]
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(model.transform(image, rng), run.transform(image, rng))
    x = minigrad.tensor(model.transform(image, rng)[np.newaxis])
    run.net.eval()
    np.testing.assert_array_equal(model.net(x).numpy(), run.net(x).numpy())


def test_a_run_without_a_checkpoint_begins_anew(tmp_path):
    folder = RunFolder.create(tmp_path / "run")
    folder.write_config(RECIPE, **CONFIG)
    assert not folder.resume(training())


def test_what_a_kill_left_is_cleared_away(tmp_path):
    folder = stopped_run(tmp_path / "run")
    folder.close()
    (folder.path / ".checkpoint.safetensors.abc").write_bytes(b"part")
    (folder.path / ".mine").write_text("kept")
    RunFolder.open(folder.path)
    assert not (folder.path / ".checkpoint.safetensors.abc").exists()
    assert (folder.path / ".mine").exists()


def test_two_processes_do_not_train_in_one_folder(tmp_path):
    folder = RunFolder.create(tmp_path / "run")
    folder.write_config(RECIPE, **CONFIG)
    with pytest.raises(BlockingIOError, match="another process is training in '.*run'"):
        RunFolder.open(folder.path)
    folder.close()
    RunFolder.open(folder.path).close()


def test_a_checkpoint_is_written_when_it_is_time(tmp_path, monkeypatch):
    folder = RunFolder.create(tmp_path / "run")
    folder.training = run = training()
    kept_at = []
    monkeypatch.setattr(RunFolder, "keep", lambda self: kept_at.append(run.means.count))
    folder.every = 0.0
    run.run(StopAfter(run, 4), folder)
    assert kept_at == [3, 6, 8, 0, 3]
    folder.every = 1e9
    run.run(folder)
    assert len(kept_at) == 5


def test_a_damaged_checkpoint_is_refused(tmp_path):
    folder = stopped_run(tmp_path / "run")
    file = folder.path / "checkpoint.safetensors"
    whole = file.read_bytes()
    file.write_bytes(whole[:-100])
    with pytest.raises(ValueError, match="checkpoint.safetensors' is not a whole safetensors file"):
        folder.resume(training())
    file.write_bytes(whole[:-100] + bytes(100))
    with pytest.raises(ValueError, match="checkpoint.safetensors' is damaged"):
        folder.resume(training())


@pytest.mark.parametrize(
    "recipe",
    [Recipe(batch_size=3, epochs=2, aux_heads=False), Recipe(batch_size=3, epochs=3, seed=5)],
    ids=["another network", "another schedule"],
)
def test_a_checkpoint_of_another_recipe_is_refused(tmp_path, recipe):
    folder = stopped_run(tmp_path / "run")
    with pytest.raises(ValueError, match="checkpoint.safetensors' does not fit this run"):
        folder.resume(training(recipe))


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ("{}", "its history must be that of at most 2 epochs"),
        ("[]", "does not fit"),
        ("", "does not fit"),
    ],
)
def test_a_checkpoint_without_its_values_is_refused(tmp_path, values, sentence):
    folder = stopped_run(tmp_path / "run")
    file = folder.path / "checkpoint.safetensors"
    arrays, metadata = checkpoint.load(file)
    checkpoint.save(file, arrays, {**metadata, "training": values})
    with pytest.raises(ValueError, match=sentence):
        folder.resume(training())
    checkpoint.save(file, arrays, {"architecture": "resnet"})
    with pytest.raises(
        ValueError,
        match="is of the architecture 'resnet'; one of googlenet, ",
    ):
        folder.resume(training())


def test_a_lock_that_is_let_go_of_while_another_asks_is_held_by_one(tmp_path, monkeypatch):
    """Who opened the file before it was taken away would hold what nobody else sees."""
    first = RunFolder.create(tmp_path / "run")
    first.write_config(Recipe(), **CONFIG)
    sound, calls = fcntl.flock, []

    def flock(file, how):
        calls.append(file)
        if len(calls) == 1:  # opened, not locked yet
            first.close()
        return sound(file, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    second = RunFolder.open(tmp_path / "run")
    with pytest.raises(BlockingIOError, match="another process is training"):
        RunFolder.open(tmp_path / "run")
    second.close()
    RunFolder.open(tmp_path / "run").close()
    assert not (tmp_path / "run/.lock").exists()
