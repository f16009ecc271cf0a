"""Weights out of torchvision and back: names, pictures through both, and files that do not fit."""

import json
import pickle

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file, save_file

import minigrad
from googlenet.classify import Classifier, probabilities
from googlenet.run_folder import load_model
from googlenet.torchvision_weights import TORCHVISION, from_torchvision, names, to_torchvision
from minigrad.data import read_image
from tests.googlenet.tiny import call
from tests.judges import torchvision

CLASSES = 3


@pytest.fixture(scope="module")
def state():
    """Return a state by torchvision's names, of our own making."""
    theirs = TORCHVISION["googlenet"]
    net = theirs.build(CLASSES, aux_heads=True)
    rng = np.random.default_rng(0)
    for name, array in net.state_dict().items():
        if name.endswith("running_var"):
            array[...] = rng.uniform(0.5, 1.5, array.shape)
    return to_torchvision(net, theirs)


@pytest.fixture(scope="module")
def file(state, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "googlenet.safetensors"
    save_file(state, path)
    return path


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    path = tmp_path_factory.mktemp("pictures") / "noise.png"
    rng = np.random.default_rng(5)
    coarse = rng.integers(0, 256, (30, 40, 3), np.uint8)
    Image.fromarray(coarse).resize((501, 333), Image.Resampling.BICUBIC).save(path)
    return path


# -- against torchvision ---------------------------------------------------------------------------


def trained(name, **options):
    """Return torchvision's network with weights and statistics that it may have been trained to."""
    torch = pytest.importorskip("torch")
    judge = getattr(torchvision("models"), name)(
        weights=None, num_classes=CLASSES, init_weights=False, aux_logits=True, **options
    )
    torch.manual_seed(3)
    for key, value in judge.state_dict().items():
        if key.endswith("running_mean"):
            value.normal_(0, 0.2)
        elif key.endswith(("running_var", "bn.weight")):
            value.uniform_(0.5, 1.5)
        elif key.endswith("num_batches_tracked"):
            value.fill_(77)
        elif value.ndim > 1:
            value.normal_(0, (2 / value[0].numel()) ** 0.5)
    return judge.eval()


@pytest.mark.parametrize(
    ("name", "transform_input", "sizes"),
    [
        ("googlenet", True, (256, 224)),
        ("googlenet", False, (256, 224)),
        ("inception_v3", True, (342, 299)),
    ],
)
def test_a_picture_through_both(name, transform_input, sizes, tmp_path, picture):
    judge = trained(name, transform_input=transform_input)
    import torch
    from safetensors.torch import save_file as save_torch
    from torchvision import transforms

    path, run = tmp_path / "w.safetensors", tmp_path / "run"
    save_torch(judge.state_dict(), path)
    switch = "--transform-input" if transform_input else "--no-transform-input"
    done = call("import-weights", path, "--run", run, switch)
    assert done.code == 0, done.err

    prepare = transforms.Compose(
        [
            transforms.Resize(sizes[0]), transforms.CenterCrop(sizes[1]), transforms.ToTensor(),
            transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )  # fmt: skip
    with torch.no_grad():
        theirs = judge(prepare(Image.open(picture))[None]).numpy()
    model = load_model(run)
    prepared = model.transform(read_image(picture), np.random.default_rng(0))
    ours = Classifier(model.net, batch_size=1).logits([prepared])
    assert np.ptp(theirs) > 0.1  # classes do differ
    error = np.abs(probabilities(ours) - probabilities(theirs)).max()
    relative = np.abs(ours - theirs).max() / np.abs(theirs).max()
    print(f"{name}: probabilities differ by {error:.1e}, logits by {relative:.1e} of the largest")
    assert error < 1e-5
    assert relative < 1e-5


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_torchvision_takes_what_is_written_back(name):
    torch = pytest.importorskip("torch")
    judge = trained(name)
    before = {n: a.numpy().copy() for n, a in judge.state_dict().items()}
    net, theirs = from_torchvision(before)
    assert theirs.name == name
    assert sum(p.size for p in net.parameters()) == sum(p.numel() for p in judge.parameters())
    after = to_torchvision(net, theirs)
    judge.load_state_dict({n: torch.from_numpy(np.ascontiguousarray(a)) for n, a in after.items()})
    for key, array in judge.state_dict().items():
        if not key.endswith("num_batches_tracked"):
            np.testing.assert_array_equal(array.numpy(), before[key])


# -- without torchvision ---------------------------------------------------------------------------


def test_names_of_arrays_are_all_different():
    for theirs in TORCHVISION.values():
        net = theirs.build(2, aux_heads=True)
        found = names(net, theirs)
        assert len(set(found.values())) == len(found) == len(net.state_dict())


def test_import_predict_and_export(file, state, tmp_path, picture):
    run, listed = tmp_path / "run", tmp_path / "names.txt"
    listed.write_text("crane\nfox\ncrane\n\n")
    done = call("import-weights", file, "--run", run, "--class-names", listed)
    assert done.code == 0, done.err
    assert done.out.splitlines()[0] == (
        "torchvision.models.googlenet: 9,939,113 parameters, 3 classes, with auxiliary heads; "
        "pictures are scaled to −1 … 1"
    )
    assert sorted(p.name for p in run.iterdir()) == ["model.safetensors"]
    model = load_model(run)
    assert model.classes == ("crane", "fox", "crane")
    assert (model.recipe.dialect, model.recipe.name) == ("torchvision", "imported")
    assert (model.recipe.dropout, model.recipe.image_size) == (0.2, 224)
    said = json.loads(call("predict", run, picture, "--json", "--batch-size", "1").out)
    assert {top["class"] for top in said["top"]} == {"crane", "fox"}

    done = call("evaluate", run)
    assert done.code == 1
    assert "give --data or --test-data" in done.err
    listed_runs = json.loads(call("runs", run, "--check", "--json").out)
    assert [(r["state"], r["note"], r["parameters"]) for r in listed_runs] == [
        ("imported", "from torchvision.models.googlenet", 9_939_113)
    ]
    assert "imported, from torchvision.models.googlenet" in call("runs", run).out

    back = tmp_path / "back.safetensors"
    assert call("export-weights", run, back).code == 0
    written = load_file(back)
    assert set(written) == set(state)
    for name, array in state.items():
        np.testing.assert_array_equal(written[name], array)


def test_without_heads(state, tmp_path):
    path = tmp_path / "w.safetensors"
    save_file({n: a for n, a in state.items() if not n.startswith("aux")}, path)
    done = call("import-weights", path, "--run", tmp_path / "run", "--json")
    assert done.code == 0, done.err
    said = json.loads(done.out)
    assert (said["aux_heads"], said["parameters"], said["classes"]) == (False, 5_602_979, 3)
    assert load_model(tmp_path / "run").net.heads == {}


def test_statistics_are_taken_over(file, state, tmp_path):
    call("import-weights", file, "--run", tmp_path / "run")
    net = load_model(tmp_path / "run").net
    np.testing.assert_array_equal(
        net.state_dict()["inception_3a.conv_3x3.bn.running_var"],
        state["inception3a.branch2.1.bn.running_var"],
    )


def changed(state, **changes):
    found = dict(state)
    for name, value in changes.items():
        name = name.replace("__", ".")
        if value is None:
            del found[name]
        else:
            found[name] = value
    return found


REFUSED = [
    ({"conv1__conv__weight": None}, "missing: conv1.conv.weight"),
    ({"more": np.zeros(2, np.float32)}, "unexpected: more"),
    ({"aux2__fc2__bias": None}, "missing: aux2.fc2.bias"),
    (
        {"conv2__conv__weight": np.zeros((64, 64, 3, 3), np.float32)},
        "mis-shaped: conv2.conv.weight has shape (64, 64, 3, 3), needs (64, 64, 1, 1)",
    ),
    (
        {"conv2__conv__weight": np.zeros((64, 64, 1, 1), np.float64)},
        "not float32: conv2.conv.weight has dtype float64",
    ),
    ({"conv1__bn__bias": np.full(64, np.nan, np.float32)}, "not finite: conv1.bn.bias"),
    (
        {"conv1__bn__running_var": np.full(64, -1, np.float32)},
        "below zero: conv1.bn.running_var, which holds variances",
    ),
    ({"fc__weight": None}, "fc.weight is missing; (classes, features) was needed"),
    ({"fc__weight": np.zeros((0, 1024), np.float32)}, "fc.weight has shape (0, 1024); (classes,"),
    ({"fc__weight": np.zeros((10**9, 0), np.float32)}, "fc.weight has shape (1000000000, 0); (cl"),
    (
        {"fc__weight": np.zeros((5, 1024), np.float32)},
        "mis-shaped: aux1.fc2.weight has shape (3, 1024), needs (5, 1024)",
    ),
    (
        {"inception3a__branch1__conv__weight": None},
        "these are not the weights of torchvision.models.googlenet and torchvision.models.inception"
        "_v3, for inception3a.branch1.conv.weight or Conv2d_1a_3x3.conv.weight is missing; there "
        "is aux1.conv.bn.bias; aux1.conv.bn.num_batches_tracked; aux1.conv.bn.running_mean; and ",
    ),
]


@pytest.mark.parametrize(("changes", "sentence"), REFUSED)
def test_what_does_not_fit_is_refused(state, changes, sentence):
    with pytest.raises(ValueError) as error:  # noqa: PT011 (the sentence is looked at)
        from_torchvision(changed(state, **changes))
    assert sentence in str(error.value)


@pytest.mark.parametrize("head", ["aux1", "aux2"])
def test_one_head_without_the_other_is_refused(state, head):
    kept = {name: array for name, array in state.items() if not name.startswith(head)}
    with pytest.raises(ValueError, match=rf"models\.googlenet: missing: {head}\.conv"):
        from_torchvision(kept)


def test_what_differs_is_listed_up_to_a_bound(state, tmp_path):
    path, run = tmp_path / "half.safetensors", tmp_path / "run"
    kept = dict(list(state.items())[:200])
    save_file(kept | {"fc.weight": state["fc.weight"]}, path)
    done = call("import-weights", path, "--run", run)
    assert done.code == 1
    assert done.err.count("missing: ") == 8
    assert done.err.startswith(f"Error: {str(path)!r}: this is not the whole of torchvision.models")
    assert "; and " in done.err
    assert done.err.count("\n") == 1
    assert not run.exists()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is not a whole safetensors file"),
        (b"PK\x03\x04rest", "is a file of PyTorch's, which may hold code and is not read here"),
        (pickle.dumps({"conv1": 1}, 2), "is a file of PyTorch's, which may hold code"),
    ],
)
def test_files_of_other_kinds(content, sentence, tmp_path):
    (tmp_path / "w.pth").write_bytes(content)
    done = call("import-weights", tmp_path / "w.pth", "--run", tmp_path / "run")
    assert done.code == 1
    assert sentence in done.err
    assert not (tmp_path / "run").exists()


def test_mistakes_in_what_is_asked(file, tmp_path):
    names_ = tmp_path / "names.txt"
    for content, sentence in (
        (b"a\nb\n", "has 2 names, but the network 3 classes"),
        (b"a\n\nc\n", "line 2 is empty"),
        (b"\xff\n", "is no text in UTF-8"),
        (b"x" * (1 << 20) + b"\n", "is too large for names of classes"),
    ):
        names_.write_bytes(content + b"\n" * (len(content) > 99))
        done = call("import-weights", file, "--run", tmp_path / "run", "--class-names", names_)
        assert (done.code, done.err.count("\n")) == (2, 1)
        assert sentence in done.err
        assert not (tmp_path / "run").exists()
    done = call("import-weights", tmp_path / "none", "--run", tmp_path / "run")
    assert (done.code, "there is no file" in done.err) == (2, True)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thing").touch()
    done = call("import-weights", file, "--run", tmp_path / "full")
    assert (done.code, "already holds something" in done.err) == (1, True)
    done = call("export-weights", tmp_path / "none", tmp_path / "out")
    assert (done.code, "there is no run" in done.err) == (2, True)


def test_runs_that_torchvision_has_no_network_for(file, tmp_path):
    call("import-weights", file, "--run", tmp_path / "run")
    done = call("export-weights", tmp_path / "run", file)
    assert (done.code, "there is something already" in done.err) == (2, True)
    arrays, metadata = minigrad.checkpoint.load(tmp_path / "run" / "model.safetensors")
    recipe = json.loads(metadata["recipe"]) | {"architecture": "inception-v3"}
    metadata["recipe"] = json.dumps(recipe)
    minigrad.checkpoint.save(tmp_path / "model.safetensors", arrays, metadata)
    done = call("export-weights", tmp_path / "model.safetensors", tmp_path / "out")
    assert done.code == 1
    assert "it is of the architecture 'googlenet', but its recipe of 'inception-v3'" in done.err
