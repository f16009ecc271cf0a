"""Going on from a trained network: what is taken over, what stays, and what cannot fit."""

import json
import shutil

import numpy as np
import pytest

import minigrad
from googlenet.finetuning import (
    freeze,
    is_classifier,
    keep_statistics,
    like_trained,
    normalization,
    take_over,
)
from googlenet.model import GoogLeNet
from googlenet.recipes import Recipe
from googlenet.run_folder import load_model, network
from minigrad import checkpoint
from minigrad.data import Compose, Normalize, Resize, ToFloat
from tests.googlenet.tiny import call, photographs, tiny, train  # noqa: F401 (a fixture)

pytestmark = pytest.mark.usefixtures("tiny")
BIRDS = ("finch", "tit", "wren")


def net(**options):
    return network(Recipe(**options), 3, 3)


# -- freezing ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("patterns", "first", "count"),
    [
        (["conv*"], "conv1.weight", 6),
        (["conv1"], "conv1.weight", 2),
        (["conv1.bias"], "conv1.bias", 1),
        (["inception_3*"], "inception_3a.conv_1x1.weight", 24),
        (["inception_4a.conv_1x1", "conv1"], "conv1.weight", 4),
        (["*.bias"], "conv1.bias", 64),
    ],
)
def test_patterns_name_parameters_and_layers(patterns, first, count):
    network = net()
    frozen = freeze(network, patterns)
    assert (frozen[0], len(frozen)) == (first, count)
    for name, parameter in network.named_parameters():
        assert parameter.requires_grad == (name not in frozen)


def test_the_backbone_is_all_but_the_classifiers():
    network = net()
    freeze(network, ["backbone"])
    left = [name for name, p in network.named_parameters() if p.requires_grad]
    assert left == [
        f"{head}classifier.{part}" for head in ("aux_4a.", "aux_4d.", "")
        for part in ("weight", "bias")
    ]  # fmt: skip
    assert all(map(is_classifier, left))


@pytest.mark.parametrize(
    ("patterns", "sentence"),
    [
        (["conv9"], "the pattern 'conv9' matches no parameter; there are those of aux_4a, aux_4d"),
        (["*"], "freeze leaves no parameter to be trained"),
        (["backbone", "*classifier.*"], "freeze leaves no parameter"),
    ],
)
def test_patterns_that_freeze_nothing_or_everything(patterns, sentence):
    with pytest.raises(ValueError, match=sentence.replace("*", r"\*")):
        freeze(net(), patterns)


def operations(loss):
    """Name all operations on the way back of a loss."""
    seen, stack, names = set(), [loss.node], []
    while stack:
        node = stack.pop()
        if id(node) not in seen:
            seen.add(id(node))
            names.append(node.name)
            stack.extend(node.parents)
    return names


def test_the_way_back_ends_where_everything_is_frozen():
    images, labels = minigrad.tensor(np.zeros((2, 3, 32, 32), np.float32)), [0, 1]

    def way_back(*patterns):
        network = net(aux_heads=False).train()
        freeze(network, patterns)
        loss = minigrad.functional.cross_entropy(network(images).logits, labels)
        loss.backward()
        got = {name for name, p in network.named_parameters() if p.grad is not None}
        assert got == {name for name, p in network.named_parameters() if p.requires_grad}
        return operations(loss.__class__(loss.data)) if loss.node is None else operations(loss)

    everything, late, last = way_back(), way_back("conv*", "inception_3*"), way_back("backbone")
    assert everything.count("conv2d") == 57
    assert late.count("conv2d") == 57 - 3 - 12
    assert "conv2d" not in last
    assert "max_pool2d" not in last


def test_frozen_batch_norm_keeps_its_statistics():
    network = net(batch_norm=True, aux_heads=False)
    freeze(network, ["conv*"])
    keep_statistics(network.train())
    before = {n: b.data.copy() for n, b in network.named_buffers()}
    rng = np.random.default_rng(0)
    network(minigrad.tensor(rng.standard_normal((4, 3, 32, 32)).astype(np.float32)))
    for name, buffer in network.named_buffers():
        assert np.array_equal(buffer.data, before[name]) == name.startswith("conv"), name
    assert network.conv1.training  # dropout and others of its kind are as in training
    assert not network.conv1.bn.training


# -- what is taken over ----------------------------------------------------------------------------


def trained(**options):
    minigrad.manual_seed(7)
    return GoogLeNet(4, 3, 32, **options)


def names_that_differ(ours, theirs):
    own, other = ours.state_dict(), theirs.state_dict()
    return {n for n in own if n not in other or not np.array_equal(own[n], other[n])}


def test_of_the_same_classes_everything_is_taken_over():
    ours, theirs = network(Recipe(), 4, 3), trained()
    assert take_over(ours, theirs, same_classes=True) == []
    assert names_that_differ(ours, theirs) == set()
    assert ours.conv1.weight.data is not theirs.conv1.weight.data


def test_of_other_classes_the_classifiers_begin_anew():
    ours, theirs = net(), trained()
    before = ours.classifier.weight.data.copy()
    anew = take_over(ours, theirs, same_classes=False)
    assert anew == ["aux_4a.classifier", "aux_4d.classifier", "classifier"]
    assert all(name.rsplit(".", 1)[0] in anew for name in names_that_differ(ours, theirs))
    np.testing.assert_array_equal(ours.classifier.weight.data, before)


def test_as_many_classes_that_are_others_begin_anew_too():
    ours, theirs = network(Recipe(), 4, 3), trained()
    assert "classifier" in take_over(ours, theirs, same_classes=False)
    assert "classifier.weight" in names_that_differ(ours, theirs)


def test_heads_may_be_left_out_or_begin_anew():
    without = net(aux_heads=False)
    assert take_over(without, trained(), False) == ["classifier"]
    with_heads = net()
    assert take_over(with_heads, trained(aux_heads=False), False) == [
        "aux_4a", "aux_4d", "classifier",
    ]  # fmt: skip
    larger = network(Recipe(image_size=64), 4, 3)  # whose heads pool larger maps
    theirs = trained()
    assert take_over(larger, theirs, True) == ["aux_4a", "aux_4d"]
    assert {name.split(".")[0] for name in names_that_differ(larger, theirs)} <= {
        "aux_4a", "aux_4d",
    }  # fmt: skip


def test_another_network_is_refused_with_the_list():
    with pytest.raises(ValueError, match="unexpected: inception_4b"):
        take_over(network(Recipe(variant="short"), 4, 3), trained(), True)


def test_the_recipe_becomes_that_of_the_trained_network():
    theirs = Recipe(
        dialect="cifar", variant="short2", image_size=40, dropout=0.1, aux_heads=False, lr=5.0,
        init="default",
    )  # fmt: skip
    used = Compose([Resize((40, 40)), Normalize([0.1, 0.2, 0.3], 0.5)])
    used = Compose([*used.transforms[:-1], Normalize([0.1, 0.2, 0.3], [0.4, 0.5, 0.6])])
    ours = like_trained(Recipe(), theirs, used, {"lr": 0.1, "dropout": 0.3})
    assert (ours.dialect, ours.variant, ours.image_size) == ("cifar", "short2", 40)
    assert (ours.lr, ours.dropout, ours.aux_heads) == (0.1, 0.3, False)
    assert (ours.normalization, ours.mean, ours.std) == ("fixed", (0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    other = like_trained(Recipe(), theirs, used, {"normalization": "half"})
    assert (other.normalization, other.mean) == ("half", ())
    with pytest.raises(ValueError, match="variant cannot be another than that of the trained"):
        like_trained(Recipe(), theirs, used, {"variant": "long"})
    assert like_trained(Recipe(), theirs, used, {"variant": "short2"}).variant == "short2"


def test_what_normalises_is_read_off():
    assert normalization(Compose([ToFloat()])) == {"normalization": "scale", "mean": (), "std": ()}
    assert normalization(Normalize(0.5, 0.25))["mean"] == (0.5,)
    with pytest.raises(ValueError, match="does not say how its pictures are normalised"):
        normalization(Compose([Resize(3)]))


# -- the command -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(tiny, tmp_path_factory):  # noqa: F811
    """A run on colour photographs, and pictures of three other classes."""
    folder = tmp_path_factory.mktemp("made")
    photographs(folder / "pictures", each=5)
    photographs(folder / "birds", classes=BIRDS, each=5)
    photographs(folder / "two", classes=BIRDS[:2], each=5)
    data = ("--data", folder / "pictures", "--pictures", "9", "--batch-size", "4")
    train(folder / "animals", *data, "--set", "average=mean")
    train(folder / "normalised", *data, "--batch-norm", "--no-aux-heads")
    return folder


def finetuned(made, run, *options, start="animals", data="birds", code=0):
    arguments = ("--finetune", made / start, "--data", made / data, "--batch-size", "4")
    done = call("train", "--run", run, "--epochs", "2", *arguments, *options)
    assert done.code == code, done.err
    return done


def weights(path):
    return load_model(path).net.state_dict()


def test_three_new_classes_on_a_frozen_backbone(made, tmp_path):
    done = finetuned(made, tmp_path / "run", "--freeze", "backbone")
    assert "begins with trained weights but for aux_4a.classifier, aux_4d.classifier" in done.out
    assert "parameters are frozen; pictures are normalised as they were" in done.out
    model, start = load_model(tmp_path / "run"), load_model(made / "animals")
    assert model.classes == BIRDS
    for name, array in model.net.state_dict().items():
        if not is_classifier(name):
            np.testing.assert_array_equal(array, start.net.state_dict()[name], name)
    for part in ("weight", "bias"):
        was = start.net.state_dict()[f"classifier.{part}"]
        assert not np.array_equal(model.net.state_dict()[f"classifier.{part}"], was)
    last = start.transform.transforms[-1]
    assert model.recipe.normalization == "fixed"
    np.testing.assert_allclose(model.recipe.mean, last.mean)
    assert model.recipe.image_size == start.recipe.image_size == 64
    assert model.recipe.freeze == ("backbone",)
    assert call("evaluate", tmp_path / "run").code == 0


def test_with_batch_norm_the_frozen_statistics_stay(made, tmp_path):
    finetuned(made, tmp_path / "run", "--freeze", "backbone", start="normalised")
    ours, theirs = weights(tmp_path / "run"), weights(made / "normalised")
    differing = {name for name in ours if not np.array_equal(ours[name], theirs[name])}
    assert differing == {"classifier.weight", "classifier.bias"}


def test_averaged_weights_to_begin_with(made, tmp_path):
    finetuned(made, tmp_path / "run", "--freeze", "backbone", start="animals/averaged.safetensors")
    ours, theirs = weights(tmp_path / "run"), weights(made / "animals/averaged.safetensors")
    np.testing.assert_array_equal(ours["conv1.weight"], theirs["conv1.weight"])
    assert not np.array_equal(ours["conv1.weight"], weights(made / "animals")["conv1.weight"])


def test_the_backbone_moves_less(made, tmp_path):
    moved = {}
    for factor in ("1", "0.01"):
        run = tmp_path / factor
        finetuned(made, run, "--backbone-lr", factor)
        change = weights(run)["conv1.weight"] - weights(made / "animals")["conv1.weight"]
        moved[factor] = float(np.abs(change).mean())
    assert 0 < moved["0.01"] < 0.05 * moved["1"]


def test_stopped_and_gone_on_with_it_ends_the_same(made, tmp_path):
    finetuned(made, tmp_path / "whole", "--freeze", "conv*")
    start = shutil.copytree(made / "animals", tmp_path / "start")
    options = ("--finetune", start, "--data", made / "birds", "--batch-size", "4")
    for name, when in (("before", "--checkpoint-every=1000"), ("later", "--checkpoint-every=0")):
        run = train(tmp_path / name, *options, "--freeze", "conv*", when, stop=True, pictures=None)
        shutil.rmtree(start)
        if name == "before":  # keep() was called when it was stopped; as if killed before that
            (run / "checkpoint.safetensors").unlink()
            done = call("train", "--resume", run)
            assert done.code == 2
            assert "the weights that the run began with were in '" in done.err
            start.mkdir()
            shutil.copy(made / "animals/averaged.safetensors", start / "model.safetensors")
            done = call("train", "--resume", run)
            assert done.code == 1
            assert "the trained weights are not those that the run" in done.err
            shutil.rmtree(start)
            shutil.copytree(made / "animals", start)
        assert call("train", "--resume", run).code == 0
        ours, wanted = weights(run), weights(tmp_path / "whole")
        assert all(np.array_equal(ours[n], wanted[n]) for n in wanted)
        start = shutil.copytree(made / "animals", start, dirs_exist_ok=True)


def test_asked_is_kept(made, tmp_path):
    finetuned(made, tmp_path / "run")
    config = checkpoint.load_json(tmp_path / "run/config.json")
    assert config["asked"]["finetune"] == str(made / "animals")
    assert set(config["fingerprints"]) == {"training", "test", "weights"}
    assert json.dumps(config["recipe"])


@pytest.mark.parametrize(
    ("options", "sentence", "code"),
    [
        (["--set", "variant=short"], "variant cannot be another than that of the trained net", 2),
        (["--dialect", "cifar"], "dialect cannot be another", 2),
        (["--batch-norm"], "batch_norm cannot be another", 2),
        (["--channels", "1"], "the pictures have 1 channels, but the trained network takes 3", 2),
        (["--data", "embedded"], "have 1 channels, but the trained network takes 3", 2),
        (["--freeze", "nothing"], "the pattern 'nothing' matches no parameter", 2),
        (["--freeze", "*"], "freeze leaves no parameter to be trained", 2),
        (["--finetune", "gone"], "finetune: there is no run 'gone'", 2),
        (["--backbone-lr", "-1"], "backbone_lr must be a number of at least 0, got -1", 2),
    ],
)
def test_what_cannot_fit_is_one_sentence(made, tmp_path, options, sentence, code):
    done = finetuned(made, tmp_path / "run", *options, code=code)
    assert sentence in done.err
    assert len([line for line in done.err.splitlines() if line.startswith("Error: ")]) == 1
    assert not (tmp_path / "run").exists()


def test_frozen_parameters_are_not_in_the_checkpoint_of_the_optimiser(made, tmp_path):
    from googlenet.train import Training
    from tests.googlenet.test_resume import pictures

    recipe = Recipe(batch_size=4, epochs=1, freeze=("backbone",))
    run = Training(network(recipe, 3, 1), recipe, pictures(), pictures())
    before = {name: array.copy() for name, array in run.net.state_dict().items()}
    run.run()
    moved = {n for n, array in run.net.state_dict().items() if (array != before[n]).any()}
    assert moved == {n for n in before if is_classifier(n)}
    kept = run.state_dict()["arrays"]
    shapes = {a.shape for n, a in kept.items() if n.startswith("optimizer.") and a.ndim}
    assert len(run.optimizer.state) == len(moved) == 6
    assert shapes == {before[name].shape for name in moved}
