"""A last batch of one picture, whose maps of 1×1 no batch norm can normalise: said at the start."""

import pytest

from googlenet import train as train_module
from googlenet.recipes import Recipe
from tests.googlenet.test_resume import pictures
from tests.googlenet.test_training_recipes import training
from tests.googlenet.tiny import call, tiny  # noqa: F401 (a fixture)

pytestmark = pytest.mark.usefixtures("tiny")
BATCH_NORM = {"batch_norm": True}
V3 = {"architecture": "inception-v3", "image_size": 299}
CASES = [  # pictures, a batch, the recipe, and the layer that cannot be normalised
    (5, 4, BATCH_NORM, "inception_5a.conv_1x1"),
    (5, 1, BATCH_NORM, "inception_5a.conv_1x1"),
    (1, 4, BATCH_NORM, "inception_5a.conv_1x1"),
    (5, 4, {"architecture": "inception-bn"}, "inception_4e.conv_3x3"),
    (5, 4, {"dialect": "torchvision"}, "inception_5a.conv_1x1"),
    (3, 2, V3, "aux.conv_5x5"),
    (3, 2, {**V3, "aux_heads": False}, None),
    (6, 4, BATCH_NORM, None),
    (5, 4, {}, None),
    (5, 4, {**BATCH_NORM, "image_size": 64}, None),
    (5, 4, {"dialect": "cifar", "image_size": 8}, None),
    (5, 4, {**BATCH_NORM, "freeze": ("backbone",)}, None),
    (5, 4, {**BATCH_NORM, "freeze": ("inception_5*",)}, None),
]


@pytest.mark.parametrize(("count", "batch_size", "options", "layer"), CASES)
def test_the_error_comes_at_the_start_and_only_where_training_would_fail(
    count, batch_size, options, layer, monkeypatch
):
    recipe = Recipe(batch_size=batch_size, epochs=1, **options)
    if layer is not None:
        with pytest.raises(ValueError, match=rf"^batch_size: of {count} .* maps of {layer} are"):
            training(recipe, pictures(count))
        monkeypatch.setattr(train_module, "_check_smallest_batch", lambda *told: None)
        with pytest.raises(ValueError, match="batch_norm: training needs more than one value"):
            training(recipe, pictures(count)).run()
    else:
        assert training(recipe, pictures(count)).run()


def test_what_it_says_to_take_can_be_taken():
    with pytest.raises(ValueError, match=r"batches of 4 .* Take batch_size 3, or"):
        training(Recipe(batch_size=4, **BATCH_NORM), pictures(5))
    assert training(Recipe(batch_size=3, epochs=1, **BATCH_NORM), pictures(5)).run()
    with pytest.raises(ValueError, match=r"Take at least two pictures"):
        training(Recipe(**BATCH_NORM), pictures(1))


def test_on_the_command_line_nothing_is_begun(tmp_path):
    done = call("train", "--batch-norm", "--pictures", "65", "--run", tmp_path / "run")
    assert done.code == 2
    assert "batch_size: of 65 pictures in batches of 64" in done.err
    assert not (tmp_path / "run").exists()
