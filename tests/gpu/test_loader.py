"""The loader with ``device="cuda"``: batches are those of the CPU, copied beside kernels."""

import copy
import threading
import time

import numpy as np
import pytest

import minigrad
from minigrad import DeviceError, tensor
from minigrad import functional as F
from minigrad.data import ArrayDataset, Compose, DataLoader, Normalize, RandomCrop, ToFloat
from minigrad.data import loader as loader_module
from minigrad.data.preparation import THREAD_NAME
from tests.gpu import standin, streams

pytestmark = pytest.mark.usefixtures("gpu")

AUGMENT = Compose([RandomCrop(5, padding=1), ToFloat(), Normalize(0.3, 0.4)])


@pytest.fixture
def only_standin(gpu):
    if gpu != "stand-in":
        pytest.skip("only the stand-in can be looked into")
    yield
    streams.reset()


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(THREAD_NAME)]


def pictures(count, classes=7):
    rng = np.random.default_rng(count)
    images = rng.integers(0, 256, (count, 3, 5, 5)).astype(np.uint8)
    return ArrayDataset(images, rng.integers(0, classes, count), [str(i) for i in range(classes)])


def numbers(batches):
    return [(images.cpu().tolist(), labels.cpu().tolist()) for images, labels in batches]


@pytest.mark.parametrize("transform", [None, AUGMENT])
@pytest.mark.parametrize("prefetch", [0, 1, 2, 5])
@pytest.mark.parametrize("batch_size", [1, 4, 50])
def test_batches_are_those_of_the_cpu(transform, prefetch, batch_size):
    for count in (1, 11, 24):
        options = {"shuffle": True, "transform": transform, "prefetch": prefetch}
        there, here = (
            DataLoader(pictures(count), batch_size, device=where, **options)
            for where in ("cuda", None)
        )
        assert (there.device, here.device) == ("cuda:0", "cpu")
        for _ in range(2):
            batches, wanted = list(there), list(here)
            assert numbers(batches) == numbers(wanted)
            for got, want in zip(sum(batches, ()), sum(wanted, ()), strict=True):
                assert (got.dtype, got.shape, got.device) == (want.dtype, want.shape, "cuda:0")
                assert got.data.flags.c_contiguous


def test_the_only_batch_that_is_asked_for_is_whole():
    images, labels = next(iter(DataLoader(pictures(40), 4, device="cuda")))
    assert numbers([(images, labels)]) == numbers([next(iter(DataLoader(pictures(40), 4)))])


def test_an_error_in_a_sample_comes_after_the_good_batches():
    def fail(image, rng):
        if (image == dataset.images[9]).all():
            raise KeyError("broken")
        return image

    dataset = pictures(20)
    batches = iter(DataLoader(dataset, 4, transform=fail, device="cuda"))
    assert [len(next(batches)[1]) for _ in range(2)] == [4, 4]
    with pytest.raises(RuntimeError, match="sample 9 of ArrayDataset .*KeyError: 'broken'"):
        next(batches)
    assert list(batches) == []


@pytest.mark.filterwarnings("ignore:DataLoader")
@pytest.mark.parametrize("way", [{"prefetch": 0}, {"prefetch": 2}, {"workers": 3}])
def test_batches_of_which_samples_are_left_out(way):
    def fail(image, rng):
        if (image == dataset.images[[1, 8, 9, 10, 11, 17]]).all(axis=(1, 2, 3)).any():
            raise OSError("broken")
        return image

    dataset = pictures(24)
    there, here = (
        DataLoader(dataset, 4, transform=fail, on_error="skip", device=where, **way)
        for where in ("cuda", "cpu")
    )
    got = list(there)
    assert [len(labels) for _, labels in got] == [3, 4, 4, 3, 4]
    assert numbers(got) == numbers(here)


@pytest.mark.usefixtures("only_standin")
def test_to_wait_for_the_gpu_is_not_to_wait_for_the_loader(monkeypatch):
    now = 0.0

    def read(image, rng):
        nonlocal now
        now += 1
        return image

    monkeypatch.setattr(loader_module, "clock", lambda: now)
    loader = DataLoader(pictures(24), 4, transform=read, prefetch=0, device="cuda")
    with streams.Stream(non_blocking=True) as kernels:  # does nothing yet
        waited = [loader.seconds_waited for _ in loader]
    assert waited == [4, 8, 8, 8, 8, 8]  # two batches fit into pinned memory
    kernels.synchronize()
    loader.seconds_waited = 0
    waited = [loader.seconds_waited for _ in loader]
    assert waited == [4, 8, 12, 16, 20, 24]


def test_devices_that_are_none():
    with pytest.raises(ValueError, match='device must be "cpu", "cuda" or "cuda:1"'):
        DataLoader(pictures(1), device="gpu")
    with pytest.raises(DeviceError, match=r"there is no cuda:99; the GPUs here are: cuda:0"):
        DataLoader(pictures(1), device="cuda:99")


@pytest.mark.usefixtures("only_standin")
def test_memory_that_runs_out(monkeypatch):
    import cupy

    def none(*arguments, **options):
        raise standin.OutOfMemoryError("Out of memory allocating 8,192 bytes")

    monkeypatch.setattr(cupy, "empty", none)
    with pytest.raises(DeviceError, match=r"out of memory: an array of shape \(1536,\)"):
        next(iter(DataLoader(pictures(4), 4, device="cuda")))


@pytest.mark.usefixtures("only_standin")
def test_the_second_gpu_alone_is_used(monkeypatch):
    import cupy

    monkeypatch.setattr(cupy.cuda.runtime, "getDeviceCount", lambda: 2)
    for prefetch in (0, 2):
        for images, labels in DataLoader(pictures(20), 4, prefetch=prefetch, device="cuda:1"):
            assert images.device == labels.device == "cuda:1"
    assert streams.used == {1}


@pytest.mark.usefixtures("only_standin")
@pytest.mark.parametrize("prefetch", [1, 2])
def test_the_next_batch_is_copied_without_waiting_for_this_ones_step(prefetch):
    """Nor for as many steps before it as batches are prepared ahead of one."""

    def slow_at_first(image, rng):
        if not done:
            time.sleep(0.05)
        return image

    done, operations = [], 2  # of each copy: to wait for its place, and to copy
    loader = DataLoader(pictures(48), 4, transform=slow_at_first, prefetch=prefetch, device="cuda")
    with streams.Stream(non_blocking=True) as kernels:
        batches = iter(loader)
        for step in range(7):
            next(batches)
            (copies,) = streams.streams[2:]
            kernels.put(lambda step=step: done.append(step))
            until(copies, operations * (step + 1 + prefetch))
            with streams.LOCK:
                copies.run_to(operations * (step + 2))  # up to the next batch
            assert done == list(range(step + 1 - prefetch))
        batches.close()


def until(stream, length):
    """Wait for what the thread in the background is about to put into a stream."""
    deadline = time.monotonic() + 20
    while stream.length != length:
        assert time.monotonic() < deadline
        time.sleep(0.001)


@pytest.mark.usefixtures("only_standin")
@pytest.mark.parametrize("prefetch", [0, 2])
def test_what_is_on_its_way_is_waited_for_when_the_consumer_stops(prefetch):
    with streams.Stream(non_blocking=True):
        for _ in DataLoader(pictures(48), 4, prefetch=prefetch, device="cuda"):
            break
    (copies,) = streams.streams[2:]
    assert copies.length >= 2
    assert copies.finished == copies.length


# -- labels ---------------------------------------------------------------------------------------


def test_losses_take_the_labels_and_do_not_wait_for_them(gpu, monkeypatch):
    images, labels = next(iter(DataLoader(pictures(8), 8, device="cuda")))
    scores = np.random.default_rng(0).standard_normal((8, 7)).astype(np.float32)
    wanted = [loss(tensor(scores), labels.cpu()).item() for loss in (F.cross_entropy, F.nll_loss)]
    read = []
    if gpu == "stand-in":
        for name in ("get", "__bool__"):
            sound = getattr(standin.ndarray, name)
            monkeypatch.setattr(standin.ndarray, name, lambda a, f=sound: read.append(a) or f(a))
    x = tensor(scores, device="cuda")
    losses = [F.cross_entropy(x, labels), F.nll_loss(x, labels)]
    assert not read
    np.testing.assert_allclose([loss.item() for loss in losses], wanted, rtol=1e-6)


def test_labels_that_are_no_class_are_named():
    batches = DataLoader(pictures(8), 8, device="cuda")
    labels = next(iter(batches))[1]
    place = int(np.argmax(batches.dataset.labels >= 3))
    said = rf"target at \({place},\) is {batches.dataset.labels[place]}, but logits has 3 classes"
    with pytest.raises(IndexError, match=said):
        F.cross_entropy(tensor(np.zeros((8, 3)), device="cuda"), labels)


def test_what_is_made_of_labels_is_a_plain_tensor():
    labels = next(iter(DataLoader(pictures(8), 8, device="cuda")))[1]
    for made in (copy.copy(labels), labels + 1, labels[:3], labels.detach(), labels.cpu()):
        assert type(made) is minigrad.Tensor
        assert not hasattr(made, "host")
