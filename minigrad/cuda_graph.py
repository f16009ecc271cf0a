"""Recording a training step once, and asking the GPU for all of it at a time.

A step of GoogLeNet is about a thousand kernels. Python asks for them one by one, some ten
microseconds each, and where they are small the GPU waits. CUDA can record what is asked for, as a
*graph*: every kernel, with its arguments. After that one call does it all again.

All arguments are recorded, and so what changes from step to step has to lie in memory:

- *The batch* is copied into the arrays that the step was recorded with.
- *Arrays that the step makes* keep their places. They come from a pool of memory that nobody else
  takes from.
- *Masks of dropout* are made from keys, which are numbers. A recorded kernel reads its key from
  memory, and before each step the next keys of `minigrad.random` are put there: the same ones, in
  the same order, as without recording.
- *Gradients* lie where the recorded step left them; `.grad` names those arrays again after each.

What a step decides in Python is decided once. What it reads from the GPU it cannot read while it is
recorded. So the optimiser, whose rates change, stays outside.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np

from minigrad import gpu, random
from minigrad.autograd import Variable
from minigrad.gpu import is_gpu_array
from minigrad.tensor import Tensor

MOST_KEYS = 1024


def cuda_graph(
    function: Callable[..., Any], parameters: Iterable[Variable] = (), warmup: int = 2
) -> "RecordedStep":
    """Make a function that does the same as `function`, from a graph once it has been recorded.

    Parameters
    ----------
    function : callable
        Called with tensors, returns a tensor, or a tuple or dictionary of tensors: a step up to
        and with backward, or only forward. It may not read numbers back (`item`, `numpy`, `if` on
        a tensor) nor bring any to the GPU. It has to forget gradients itself (`zero_grad`).
    parameters : iterable of Parameter
        Whose gradients it makes.
    warmup : int
        How many calls are made as usual before the next is recorded: kernels are compiled in
        these. They count as steps like all others.

    Returns
    -------
    RecordedStep
        To be called as `function` is. Only batches like the one that was recorded come from the
        graph, others (the smaller last one) run as usual; so does everything on the CPU.

    Notes
    -----
    Class indices are checked in the calls that run as usual; later ones are not looked at.

    Examples
    --------
    >>> import minigrad
    >>> from minigrad import nn
    >>> net = nn.Linear(2, 1).to(minigrad.cuda.preferred_device())
    >>> def step(x):
    ...     net.zero_grad()
    ...     loss = net(x).sum()
    ...     loss.backward()
    ...     return loss
    >>> step = minigrad.cuda_graph(step, net.parameters())
    """
    return RecordedStep(function, list(parameters), warmup)


class RecordedStep:
    """What `cuda_graph` returns."""

    def __init__(
        self, function: Callable[..., Any], parameters: list[Variable], warmup: int
    ) -> None:
        if not callable(function):
            raise TypeError(f"cuda_graph: function cannot be called, got {function!r}")
        if not isinstance(warmup, int) or warmup < 1:
            raise ValueError(f"cuda_graph: warmup must be an integer of at least 1, got {warmup!r}")
        self.function, self.parameters, self.warmup = function, parameters, warmup
        self._seen: dict[Any, int] = {}  # how often batches of these shapes came
        self._recording: _Recording | None = None

    def __call__(self, *inputs: Tensor) -> Any:
        """Do the step."""
        for i, x in enumerate(inputs):
            if not isinstance(x, Tensor):
                raise TypeError(f"cuda_graph: input {i} must be a Tensor, got {type(x).__name__}")
        if not inputs or not all(is_gpu_array(x.data) for x in inputs):
            return self.function(*inputs)
        if self._recording is None:
            kind = tuple((x.shape, x.dtype) for x in inputs)
            self._seen[kind] = self._seen.get(kind, 0) + 1
            if self._seen[kind] <= self.warmup:
                return self.function(*inputs)
            self._recording = _Recording(self.function, self.parameters, inputs)
            return self._recording.run()
        if not self._recording.fits(inputs):
            return self.function(*inputs)
        return self._recording.run(inputs)


class _Recording:
    """One step, recorded: its graph, and all arrays that have to stay in their places."""

    def __init__(
        self, function: Callable[..., Any], parameters: list[Variable], inputs: tuple[Tensor, ...]
    ) -> None:
        cuda = gpu.cupy().cuda
        self.inputs = tuple(Tensor(x.data.copy()) for x in inputs)
        self.keys = _Keys()
        cuda.get_current_stream().synchronize()  # what the step reads has been computed
        self.memory = cuda.MemoryPool()
        stream = cuda.Stream(non_blocking=True)
        with cuda.using_allocator(self.memory.malloc), stream, self.keys.recorded():
            gpu.cublas.open_here()
            stream.begin_capture()
            try:
                self.outputs = function(*self.inputs)
            except BaseException as error:
                with suppress(Exception):  # what was recorded is no use, and CUDA may say so
                    stream.end_capture()
                if not isinstance(error, Exception):
                    raise
                raise RuntimeError(
                    f"cuda_graph: the step cannot be recorded ({type(error).__name__}: {error}). "
                    "It must not read numbers back from the GPU, nor bring any there"
                ) from error
            self.graph = stream.end_capture()
        self.stream = stream  # cuBLAS's memory belongs to it
        self.gradients = [(parameter, parameter.grad) for parameter in parameters]

    def fits(self, inputs: tuple[Tensor, ...]) -> bool:
        """Tell whether a batch is like the recorded one."""
        pairs = zip(inputs, self.inputs, strict=False)
        same = all((a.shape, a.dtype, a.device) == (b.shape, b.dtype, b.device) for a, b in pairs)
        return len(inputs) == len(self.inputs) and same

    def run(self, inputs: tuple[Tensor, ...] = ()) -> Any:
        """Do the step, with this batch; the first time with the one that it was recorded with."""
        if inputs:
            for place, x in zip(self.inputs, inputs, strict=True):
                place.data[...] = x.data
            self.keys.draw()
        self.graph.launch()
        for parameter, gradient in self.gradients:
            parameter.grad = gradient
        return _copied(self.outputs)


def _copied(outputs: Any) -> Any:
    """Copy what the step returns: the next step will write to the same place."""
    if isinstance(outputs, Variable):
        return Tensor(outputs.data.copy())
    if isinstance(outputs, dict):
        return {name: _copied(value) for name, value in outputs.items()}
    if isinstance(outputs, tuple | list):
        values = [_copied(value) for value in outputs]
        return type(outputs)(*values) if hasattr(outputs, "_fields") else type(outputs)(values)
    return outputs


class _Key(int):
    """A key of dropout that a recorded kernel reads from its place in memory."""

    place: Any


class _Keys:
    """Hands out keys in the place of `minigrad.random.default` while a step is recorded."""

    def __init__(self) -> None:
        self.places = gpu.cupy().zeros(MOST_KEYS, np.uint64)
        self.drawn: list[int] = []

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """Let keys that are drawn know their place, and put them there afterwards."""
        self.stream, random.default = random.default, self  # type: ignore[assignment]
        try:
            yield
        finally:
            random.default = self.stream
        self._put()

    def next_key(self) -> _Key:
        """Hand out the next key of the stream, and remember it."""
        count = len(self.drawn)
        if count == MOST_KEYS:
            raise RuntimeError(f"it draws more than {MOST_KEYS} keys for dropout")
        key = _Key(self.stream.next_key())
        key.place = self.places[count : count + 1]
        self.drawn.append(key)
        return key

    def draw(self) -> None:
        """Draw as many keys anew."""
        self.drawn = [random.default.next_key() for _ in self.drawn]
        self._put()

    def _put(self) -> None:
        # As arguments of kernels: a copy from the host would have to wait.
        for i, key in enumerate(self.drawn):
            self.places[i : i + 1].fill(np.uint64(key))
