"""Studies: what they train, that they go on where they stopped, and what they make of it."""

import csv
import json
from collections import Counter

import numpy as np
import pytest

from googlenet import study as module
from googlenet import study_charts
from googlenet.anomaly import NotFiniteError
from googlenet.architecture import VARIANTS
from googlenet.commands import study as command
from googlenet.commands.session import Session
from googlenet.drawing import plt
from googlenet.model import GoogLeNet
from googlenet.recipes import Recipe
from googlenet.run_folder import MODEL, RunFolder, network
from googlenet.study import STUDIES, custom, plan, results, table
from minigrad import checkpoint
from tests.googlenet.tiny import call, photographs, tiny  # noqa: F401 (a fixture)

SHORT = ("--epochs", "1", "--pictures", "64", "--quiet")


def labels(planned):
    return [(each.setting.label, each.seed) for each in planned]


# -- what is trained -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(STUDIES))
def test_every_study_can_be_planned(name, tmp_path):
    study = STUDIES[name]
    planned = plan(study, tmp_path, seeds=2)
    assert len(planned) == 2 * len(study.settings) >= 4
    assert len({each.path for each in planned}) == len(planned)
    assert len({each.recipe for each in planned}) == len(planned)
    assert study.asks.endswith("?")


def test_variants_are_those_of_the_reference(tmp_path):
    study = STUDIES["variants"]
    planned = plan(study, tmp_path)
    assert [each.setting.label for each in planned] == list(VARIANTS)
    for each in planned:
        recipe = each.recipe
        assert (recipe.dialect, recipe.normalized) == ("cifar", True)
        if VARIANTS[recipe.variant].exact and recipe.variant != "naive":
            net = GoogLeNet(10, 3, 32, dialect=recipe.dialect, variant=recipe.variant)
            count = sum(parameter.size for parameter in net.parameters())
            assert count == study.published.parameters[each.setting.label]
    assert study.published.errors["short2"] == 0.10


def test_normalisation_has_all_three(tmp_path):
    nets = {
        each.setting.label: [
            type(module).__name__
            for _, module in network(each.recipe, 10, 1).named_modules()
        ]
        for each in plan(STUDIES["normalisation"], tmp_path)
    }  # fmt: skip
    kinds = ("LocalResponseNorm", "BatchNorm2d")
    counts = {label: [names.count(kind) for kind in kinds] for label, names in nets.items()}
    assert counts == {"lrn": [2, 0], "batch-norm": [0, 59], "neither": [0, 0]}


def test_settings_win_over_what_is_asked_for_all(tmp_path):
    study = custom(["lr=0.1", "lr=0.2 epochs=7"], ["epochs=3 seed=5"])
    first, second = plan(study, tmp_path, changes={"epochs": 4, "image_size": 48})
    assert (first.recipe.lr, first.recipe.epochs, first.seed) == (0.1, 4, 5)
    assert (second.recipe.epochs, second.recipe.image_size) == (7, 48)
    assert labels(plan(study, tmp_path, seeds=2, only=["lr=0.1"])) == [("lr=0.1", 5), ("lr=0.1", 6)]
    assert plan(study, tmp_path, recipe=Recipe(flip=False))[0].recipe.flip is False


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["custom"], "there is no study 'custom'; there are: variants, heads"),
        ([], "say which study; there are: variants"),
        (["--set", "lr=1"], "a study needs two settings at least"),
        (["--set", "lr=1", "--set", "lr=1"], "a study needs two settings at least"),
        (["--set", "lr=1", "--set", "rate=1"], "rate"),
        (["--set", "lr=-1", "--set", "lr=2"], "lr must be a number above 0"),
        (["heads", "--set", "lr=1", "--set", "lr=2"], "leave 'heads' out"),
        (["heads", "--base", "lr=1"], "--base goes with --set"),
        (["heads", "--only", "some"], "there is no setting 'some' in the study 'heads'"),
        (["heads", "--image-size", "16"], "image_size must be an integer of at least 32"),
        (["heads", "--epochs", "0"], "epochs"),
        (["heads", "--pictures", "0", "--quiet"], "pictures must lie between 1 and 5000"),
        (["heads", "--data", "nowhere", "--quiet"], "there is no dataset and no folder 'nowhere'"),
        (["heads", "--threads", "0"], "count must be a positive integer"),
        (["heads", "--recipe", "mine"], "mine"),
        (["--set", "lr=1", "--set", "lr=1", "--set", "lr=2"], "the setting 'lr=1' is given twice"),
        (["--set", "freeze=conv*", "--set", "freeze=conv?"], "would both be trained in"),
    ],
)
def test_a_mistake_is_one_sentence_and_begins_nothing(arguments, sentence, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = call("study", *arguments)
    assert done.code == 2, done.err
    assert sentence in done.err
    assert not list(tmp_path.rglob("config.json"))


def test_the_list():
    done = call("study", "--list")
    assert done.code == 0
    for name, study in STUDIES.items():
        assert f"{name}: {study.asks}" in done.out
    assert set(json.loads(call("study", "--list", "--json").out)) == set(STUDIES)


# -- training --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tiny, tmp_path_factory):  # noqa: F811
    folder = tmp_path_factory.mktemp("studies") / "heads"
    done = call("study", "heads", *SHORT, "--seeds", "2", "--output", folder)
    assert done.code == 0, done.err
    return folder, done


def test_each_training_is_a_run(trained):
    folder, _ = trained
    names = ["with-seed0", "with-seed1", "without-seed0", "without-seed1"]
    assert sorted(path.name for path in folder.iterdir() if path.is_dir()) == names
    found = json.loads(call("runs", folder, "--json").out)
    assert Counter(run["state"] for run in found) == {"finished": 4}
    recipe = RunFolder(folder / "without-seed1").recipe()
    assert (recipe.aux_heads, recipe.seed, recipe.epochs) == (False, 1, 1)


def test_what_came_out_is_mean_and_spread(trained):
    folder, done = trained
    rows = {}
    with open(folder / "table.csv") as file:
        for row in csv.DictReader(file):
            rows[row["setting"]] = row
    accuracies = []
    for seed in (0, 1):
        with open(folder / f"with-seed{seed}" / "metrics.csv") as file:
            accuracies.append(float(next(csv.DictReader(file))["test_accuracy"]))
    errors = 1 - np.array(accuracies)
    assert float(rows["with"]["test_error"]) == pytest.approx(errors.mean())
    assert float(rows["with"]["spread"]) == pytest.approx(errors.std(ddof=1))
    assert rows["with"]["seeds"] == "2"
    assert int(rows["with"]["parameters"]) > int(rows["without"]["parameters"])
    assert "Do the auxiliary heads help?" in done.out
    assert f"{errors.mean():.1%}" in done.out
    assert (folder / "study.png").read_bytes().startswith(b"\x89PNG")
    text = (folder / "table.md").read_text()
    assert "googlenet study heads --epochs 1" in text
    assert "| with |" in text
    kept = checkpoint.load_json(folder / "study.json")
    assert kept["results"][0]["test_errors"] == pytest.approx(errors.tolist())


def test_what_is_finished_is_not_trained_again(trained, monkeypatch):
    folder, _ = trained
    begun = []
    monkeypatch.setattr(Session, "run", lambda *given: begun.append(given))
    done = call("study", "heads", *SHORT, "--seeds", "2", "--output", folder)
    assert done.code == 0
    assert begun == []


def test_a_study_that_was_stopped_goes_on(tiny, tmp_path, monkeypatch):  # noqa: F811
    import signal

    count = [0]
    sound = RunFolder.step

    def stop(self, *told):
        count[0] += 1
        if count[0] == 2:  # in the second training
            signal.raise_signal(signal.SIGINT)
        return sound(self, *told)

    arguments = ("study", "heads", *SHORT, "--output", tmp_path / "s")
    monkeypatch.setattr(RunFolder, "step", stop)
    monkeypatch.setattr(module, "STUDIES", module.STUDIES)
    count[0] = -1  # the first has one step, and one word about its epoch
    done = call(*arguments)
    assert done.code == 130
    assert (tmp_path / "s" / "with-seed0" / MODEL).is_file()
    assert not (tmp_path / "s" / "without-seed0" / MODEL).is_file()
    monkeypatch.undo()
    begun = (tmp_path / "s" / "with-seed0" / MODEL).stat().st_mtime_ns
    done = call(*arguments)
    assert done.code == 0, done.err
    assert (tmp_path / "s" / "with-seed0" / MODEL).stat().st_mtime_ns == begun
    assert (tmp_path / "s" / "without-seed0" / MODEL).is_file()


@pytest.mark.parametrize("other", [("--epochs", "2"), ("--pictures", "32")])
def test_runs_of_other_options_are_not_mixed_in(trained, other):
    folder, _ = trained
    done = call("study", "heads", *SHORT, *other, "--output", folder)
    assert done.code == 2
    assert "with-seed0' holds a training with other options" in done.err


def test_runs_of_other_pictures_are_not_mixed_in(tiny, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.chdir(tmp_path)
    for name in ("pictures", "tests", "others"):
        photographs(tmp_path / name)
    asked = ("study", "heads", "--only", "with", "--epochs", "1", "--quiet", "--image-size", "32",
             "--data", "pictures", "--output", "s")  # fmt: skip
    assert call(*asked, "--test-data", "tests").code == 0
    again = call(*asked, "--test-data", "tests")
    assert again.code == 0, again.err
    for other in (("--test-data", "others"), (), ("--test-data", "tests", "--channels", "1")):
        done = call(*asked, *other)
        assert (done.code, "holds a training with other options" in done.err) == (2, True), other


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ((), 64),
        (("--image-size", "48"), 48),
        (("--recipe", "fashion-mnist"), 96),
        (("--base", "image_size=80"), 80),
        (("--base", "flip=false"), 64),
    ],
)
def test_the_size_of_photographs_is_what_was_said(options, size, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(command, "_train_all", lambda planned, *rest: asked.extend(planned) or {})
    settings = ("--set", "lr=0.1", "--set", "lr=0.2")
    call("study", *settings, "--data", photographs(tmp_path / "p"), *options,
         "--output", tmp_path / "s")  # fmt: skip
    assert {each.recipe.image_size for each in asked} == {size}


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "with-seed0").mkdir()
    done = call("study", "heads", *SHORT, "--output", tmp_path)
    assert done.code == 2
    assert "is no run folder" in done.err


def test_a_setting_that_fails_is_a_result_too(tiny, tmp_path, monkeypatch):  # noqa: F811
    sound = Session.run

    def run(self, folder):
        if self.training.recipe.lr == 0.5:
            raise NotFiniteError("the loss is not finite")
        sound(self, folder)

    monkeypatch.setattr(Session, "run", run)
    done = call("study", "--set", "lr=0.5", "--set", "lr=0.001", *SHORT, "--output", tmp_path / "s")
    assert done.code == 1
    assert "lr=0.5-seed0: the loss is not finite" in done.out
    assert "lr=0.001" in done.out
    assert (tmp_path / "s" / "study.png").is_file()


def test_json_is_all_there_is_on_standard_output(trained):
    folder, _ = trained
    done = call("study", "heads", *SHORT, "--seeds", "2", "--output", folder, "--json")
    told = json.loads(done.out)
    assert [result["setting"] for result in told["results"]] == ["with", "without"]
    assert told["published"] is None


def test_published_figures_are_marked_as_of_other_data(tmp_path):
    study = STUDIES["variants"]
    rows = table(study, results(plan(study, tmp_path, only=["short4"])))
    assert rows[0][-1] == "published: CIFAR-10, 14 epochs"
    assert rows[1] == ["short4", "–", "–", "–", "–", "–", "15%"]
    assert "of other data" in module.as_markdown(study, rows, "googlenet study").decode()


def test_averaged_weights_are_what_a_recipe_that_averages_is_judged_by(tiny, tmp_path):  # noqa: F811
    done = call("study", "averaging", *SHORT, "--only", "ema", "--output", tmp_path)
    assert done.code == 0, done.err
    with open(tmp_path / "ema-seed0" / "metrics.csv") as file:
        row = next(csv.DictReader(file))
    result = checkpoint.load_json(tmp_path / "study.json")["results"][0]
    assert result["test_error"] == pytest.approx(1 - float(row["test_accuracy_averaged"]))


def test_pictures_of_all_kinds_of_results(trained):
    def drawn(study, results):
        """Return the figure's title, and what stands at each point of the right picture."""
        figures = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(study_charts, "png", lambda figure, dpi: figures.append(figure))
            study_charts.draw_study(study, results)
        left, right = figures[0].axes
        said = {text.get_text(): text.xy for text in right.texts}
        plt.close(figures[0])
        return figures[0].get_suptitle(), said, left

    folder, _ = trained
    found = results(plan(STUDIES["heads"], folder, 2, changes={"epochs": 1}))
    assert study_charts.draw_study(STUDIES["heads"], found).startswith(b"\x89PNG")
    title, said, _ = drawn(STUDIES["heads"], found)
    assert title.endswith("(mean of 2 seeds ± standard deviation)")
    assert said == {each.label: (each.seconds, each.error) for each in found}
    for result in found:
        result.runs = result.runs[:1]
    title, said, _ = drawn(STUDIES["heads"], found[:1])
    assert title.endswith("(one seed, 95 % interval)")
    assert set(said) == {"with"}
    for result, name in zip(found, ("naive", "short4"), strict=True):
        result.label = name
    found[1].runs[0].run.parameters *= 10  # of networks of about one size there is no such axis
    _, _, left = drawn(STUDIES["variants"], found)
    rings = [tuple(line.get_ydata()) for line in left.lines if line.get_mfc() == "none"]
    assert rings[:2] == [(0.15,), (0.15,)]
