"""Two rungs in step: sound ones agree, a broken one is found at the operation it breaks."""

import numba
import numpy as np
import pytest

import minigrad
from googlenet import GoogLeNet
from googlenet.model import loss
from minigrad import functional as F
from minigrad import nn, tensor
from minigrad.ops import conv, pool
from minigrad.testing import LockstepError, lockstep
from tests.gpu import host, standin


def net(seed=0):
    rng = np.random.default_rng(seed)
    return nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1, generator=rng), nn.BatchNorm2d(3), nn.ReLU(),
        nn.MaxPool2d(2), nn.Dropout(0.5), nn.Flatten(), nn.Linear(12, 4, generator=rng),
    )  # fmt: skip


def images(*shape, seed=1):
    return tensor(np.random.default_rng(seed).standard_normal(shape).astype(np.float32))


NAMES = ["conv2d", "batch_norm", "relu", "max_pool2d", "dropout", "linear"]


@pytest.mark.parametrize("second", ["naive", "vectorized", "cpu"])
def test_sound_rungs_agree(second):
    assert lockstep(net(), images(3, 2, 4, 4), second=second) == NAMES


def test_nothing_is_changed_by_looking():
    one, two, x = net(), net(), images(3, 2, 4, 4)
    minigrad.manual_seed(5)
    plain = one(x)
    minigrad.manual_seed(5)
    kept = []
    lockstep(lambda x: kept.append(two(x)), x)
    np.testing.assert_array_equal(kept[0].data, plain.data)
    for name, array in one.state_dict().items():
        np.testing.assert_array_equal(two.state_dict()[name], array)
    assert F.conv2d.__name__ == "conv2d"


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="takes hours in plain Python")
def test_a_whole_network():
    model, labels = GoogLeNet(10, in_channels=1, image_size=32), np.array([3, 4])
    names = lockstep(lambda x: loss(model(x), labels), images(2, 1, 32, 32))
    assert names.count("conv2d") == 59
    assert names.count("concat") == 9
    assert names.count("cross_entropy") == 3


def test_a_wrong_forward_is_named(monkeypatch):
    sound = conv.vectorized.conv2d_forward
    monkeypatch.setattr(conv.vectorized, "conv2d_forward", lambda *a, **k: 1.01 * sound(*a, **k))
    with pytest.raises(LockstepError, match=r"^conv2d: output differs by .* on cpu, .* on vect"):
        lockstep(net(), images(3, 2, 4, 4))


def test_a_wrong_gradient_is_named_and_shown(monkeypatch):
    sound = pool.cpu.max_pool2d_input_gradient

    def broken(gradient, *rest):
        result = sound(gradient, *rest)
        result[-1] *= 1.001  # the last image alone
        return result

    monkeypatch.setattr(pool.cpu, "max_pool2d_input_gradient", broken)
    with pytest.raises(LockstepError) as raised:
        lockstep(net().eval(), images(3, 2, 4, 4))
    said = str(raised.value)
    assert said.startswith("max_pool2d: gradient of argument 0 differs by")
    assert "at (2, " not in said.split("to see it")[1]
    # The code that is printed shows the same.
    code = said.split("to see it:\n\n")[1]
    with pytest.raises(LockstepError, match="max_pool2d: gradient of argument 0"):
        exec("\n".join(line[4:] for line in code.splitlines()), {})


def test_numbers_that_are_too_many_to_write(monkeypatch):
    """The code draws others. Whether these show the difference is tried, and said."""
    sound = conv.vectorized.conv2d_forward
    for where, promise in (
        (lambda out: out > -1e9, "to see it:"),
        (lambda out: out > 1e6, "the call, whose random numbers do not show it:"),
    ):
        with monkeypatch.context() as patch:

            def broken(*arguments, where=where, **options):
                out = sound(*arguments, **options)
                return np.where(where(out), 1.01 * out, out).astype(out.dtype)

            patch.setattr(conv.vectorized, "conv2d_forward", broken)
            with pytest.raises(LockstepError) as raised:
                lockstep(net(), images(1, 2, 6, 6) * 1e9)
        assert f"\n\n{promise}\n\n" in str(raised.value)
        assert "rng.standard_normal((1, 2, 6, 6))" in str(raised.value)


def test_rounding_is_forgiven_and_no_more(monkeypatch):
    sound = conv.vectorized.conv2d_forward
    for factor, found in ((1 + 2e-7, False), (1 + 1e-4, True)):
        with monkeypatch.context() as patch:
            patch.setattr(
                conv.vectorized, "conv2d_forward",
                lambda *a, factor=factor, **k: (factor * sound(*a, **k)).astype(a[0].dtype)
                if a[0].dtype == np.float32 else sound(*a, **k),
            )  # fmt: skip
            if found:
                with pytest.raises(LockstepError, match="conv2d: output"):
                    lockstep(net(), images(2, 2, 4, 4))
            else:
                lockstep(net(), images(2, 2, 4, 4))


def test_places_that_are_none():
    with pytest.raises(ValueError, match="device must be"):
        lockstep(net(), images(1, 2, 4, 4), second="fast")


@pytest.mark.skipif(host.COMPILER is None, reason="no C++ compiler")
def test_a_cpu_and_a_stand_in_for_a_gpu():
    with standin.installed():
        assert lockstep(net(), images(3, 2, 4, 4), second="cuda") == NAMES
