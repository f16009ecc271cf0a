"""Gradients of several batches are those of one, and nothing else changes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigrad import functional as F
from minigrad import nn, optim, tensor

sizes = st.lists(st.integers(1, 5), min_size=1, max_size=5)


def network():
    net = nn.Sequential(nn.Linear(3, 4, generator=np.random.default_rng(0)), nn.ReLU())
    net.last = nn.Linear(4, 2, generator=np.random.default_rng(1))
    return net.astype(np.float64)


def backward(net, x, labels):
    F.cross_entropy(net(x), labels).backward()


@given(sizes=sizes, seed=st.integers(0, 2**32 - 1))
def test_batches_of_any_sizes_are_one_large_batch(sizes, seed):
    rng, net = np.random.default_rng(seed), network()
    x, labels = rng.standard_normal((sum(sizes), 3)), rng.integers(0, 2, sum(sizes))
    backward(net, tensor(x), labels)
    wanted = [p.grad.numpy().copy() for p in net.parameters()]
    net.zero_grad()
    gradients, first = optim.GradientAccumulator(net.parameters()), 0
    for size in sizes:
        part = slice(first, first + size)
        backward(net, tensor(x[part]), labels[part])
        gradients.add(size)
        assert all(p.grad is None for p in net.parameters())
        first += size
    gradients.finish()
    for parameter, gradient in zip(net.parameters(), wanted, strict=True):
        np.testing.assert_allclose(parameter.grad.numpy(), gradient, rtol=1e-11, atol=1e-15)


def test_it_begins_anew_and_keeps_no_array_of_backward():
    weight = nn.Parameter(np.zeros(2))
    gradients = optim.GradientAccumulator([weight])
    place = np.array([1.0, 2.0])  # a recorded step writes to the same place again and again
    for value in (1.0, 3.0):
        place[:] = value
        weight.grad = tensor(0.0).new(place)
        gradients.add(1)
    gradients.finish()
    np.testing.assert_array_equal(weight.grad.numpy(), [2.0, 2.0])
    kept = weight.grad.numpy()
    place[:] = 10.0
    weight.grad = tensor(0.0).new(place)
    gradients.add(4)
    gradients.finish()
    np.testing.assert_array_equal(weight.grad.numpy(), [10.0, 10.0])
    np.testing.assert_array_equal(kept, [2.0, 2.0])


def test_a_parameter_without_a_gradient_counts_as_zeros():
    one, never = nn.Parameter(np.zeros(1)), nn.Parameter(np.zeros(1))
    late = nn.Parameter(np.zeros(1))
    gradients = optim.GradientAccumulator([one, never, late])
    one.grad = tensor([6.0], dtype="float64")
    gradients.add(1)
    late.grad = tensor([6.0], dtype="float64")
    gradients.add(2)
    gradients.finish()
    assert one.grad.item() == pytest.approx(2.0)
    assert late.grad.item() == pytest.approx(4.0)
    assert never.grad is None


def test_what_is_not_finite_stays_so():
    """A scaler has to see an overflow of any batch."""
    weight = nn.Parameter(np.zeros(1))
    gradients = optim.GradientAccumulator([weight])
    for value in (1.0, np.inf, 1.0):
        weight.grad = tensor([value], dtype="float64")
        with np.errstate(invalid="ignore"):
            gradients.add(1)
    gradients.finish()
    assert not np.isfinite(weight.grad.item())


@pytest.mark.parametrize("count", [0, -1, 1.5, True, "2"])
def test_a_batch_of_nothing_is_refused(count):
    with pytest.raises(ValueError, match="count must be a whole number of at least 1, got"):
        optim.GradientAccumulator([]).add(count)


def test_whole_numbers_of_numpy_are_whole_numbers():
    gradients = optim.GradientAccumulator([])
    gradients.add(np.int64(3))
    assert gradients.count == 3


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ("ab", "0 is str"),
        ([nn.Parameter(np.zeros(2)), nn.Parameter(np.zeros(2, "e"))], "1 is floa"),
    ],
)
def test_what_cannot_be_averaged_is_told(parameters, said):
    with pytest.raises(TypeError, match=f"^GradientAccumulator: .* but parameter {said}"):
        optim.GradientAccumulator(parameters)
