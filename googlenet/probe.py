"""A look inside a network that is being trained: signals on their way forward and back.

The same few pictures go through the network as in training, but without dropout, whose noise would
hide what is looked for. Of each stage is noted how large its output is and how much of it ReLU has
set to zero, and, since gradients of a sum are sums, how strong the gradient is that comes back to
it from the main head's loss alone, and from the loss with the auxiliary heads, which is what trains
it. C. Szegedy et al. (2015), section 5, put these heads in to strengthen the gradient that reaches
the lower stages; here it can be seen whether they do. Comparing the scales of activations and
gradients from layer to layer is X. Glorot and Y. Bengio's ("Understanding the difficulty of
training deep feedforward neural networks", 2010).

Looking changes nothing: not the running statistics of batch normalisation, nor gradients, nor which
random numbers come next. It computes in float32, in whatever precision the training does.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import minigrad
from googlenet.architecture import AUX_WEIGHT
from googlenet.model import AuxiliaryHead, ConvReLU, Network, loss
from minigrad import Tensor, nn

# Columns of a `Look` that have a number for each stage; None where a stage has no such thing.
PER_STAGE = ("activation", "mean", "zero", "dead", "gradient", "gradient_main")
PER_HEAD = ("loss", "spread", "classes", "largest", "dead")


@dataclass
class Look:
    """What was seen.

    Attributes
    ----------
    stages : dict of str to list
        For each of `PER_STAGE`, a number for each stage of the network, or None:
        root mean square and mean of the output; share of zeros, and of channels that are zero for
        all pictures, after the stage's ReLUs; norm of the gradient of a picture's loss in the
        stage's output (root mean square over the pictures), of the loss that is trained and of the
        main head's alone.
    heads : dict of str to dict
        For each head: "loss"; "spread", the standard deviation of its logits from picture to
        picture; "classes", how many different ones it says; "largest", the share of pictures of
        which it says the one that it says most; "dead", the share of its hidden units that are
        zero for all pictures, or None.
    """

    stages: dict[str, list[float | None]]
    heads: dict[str, dict[str, float | None]]


def look_inside(
    net: Network,
    images: Tensor,
    labels: np.ndarray,
    label_smoothing: float = 0.0,
    aux_weight: float = AUX_WEIGHT,
) -> Look:
    """Let pictures through a network, forward and back, and note what is seen on the way.

    Parameters
    ----------
    net : Network
        In whatever mode; it is left as it was.
    images : Tensor (N, C, H, W)
    labels : integer array (N,)
    label_smoothing, aux_weight : float
        As in training.

    Returns
    -------
    Look
    """
    with undisturbed(net), ExitStack() as stack, np.errstate(all="ignore"):
        taps = [stack.enter_context(tapping(net, name)) for name in net.stages]
        hidden = {
            name: stack.enter_context(watching([head.fc]))
            for name, head in net.named_children()
            if isinstance(head, AuxiliaryHead) and head.fc is not None
        }
        outputs = net(images)
        total, losses = loss(outputs, labels, label_smoothing, aux_weight)
        alone = len(losses) == 1  # the main head has no others beside it
        main = _back(taps, losses["logits"], keep=not alone)
        both = main if alone else _back(taps, total)
    stages: dict[str, list[Any]] = {name: [] for name in PER_STAGE}
    # The loss is a mean over N pictures: each gradient is N times as large, their mean square 1/N.
    scale = len(labels) ** 0.5
    for i, tap in enumerate(taps):
        zero, dead = tap.seen.shares()
        stages["activation"].append(_root_mean_square(tap.out))
        stages["mean"].append(_number(tap.out.detach().mean()))
        stages["zero"].append(zero)
        stages["dead"].append(dead)
        for name, gradients in (("gradient", both), ("gradient_main", main)):
            stages[name].append(_norm(gradients[i]) * scale)
    heads = {
        name: _head(logits, losses[name], hidden.get(name))
        for name, logits in outputs._asdict().items()
        if logits is not None
    }
    return Look(stages, heads)


# -- leaving everything as it was -----------------------------------------------------------------


@contextmanager
def undisturbed(net: nn.Module) -> Iterator[None]:
    """Put a network in training mode without dropout, and afterwards all of it back."""
    modules = [module for _, module in net.named_modules()]
    modes = [module.training for module in modules]
    parameters = [(p, p.requires_grad, p.grad) for p in net.parameters()]
    buffers = [(buffer, buffer.data.copy()) for _, buffer in net.named_buffers()]
    stream = minigrad.random.default
    drawn = stream.drawn
    try:
        if not net.training:
            net.train()
        for module in modules:
            if isinstance(module, nn.Dropout):
                module.training = False
        for parameter, _, _ in parameters:  # half of the way back is the weights' own gradients
            parameter.requires_grad = False
        yield
    finally:
        for module, mode in zip(modules, modes, strict=True):
            module.training = mode
        for parameter, wanted, gradient in parameters:
            parameter.requires_grad, parameter.grad = wanted, gradient
        for buffer, values in buffers:
            buffer.data[...] = values
        stream.drawn = drawn


# -- taps -----------------------------------------------------------------------------------------


@dataclass
class Seen:
    """What came out of ReLUs: for each, the share of positive numbers in each channel."""

    shares_positive: list[tuple[int, Tensor]] = field(default_factory=list)

    def shares(self) -> tuple[float | None, float | None]:
        """Return the share of zeros, and that of channels in which there is nothing else."""
        if not self.shares_positive:
            return None, None
        zero = dead = numbers = channels = 0.0
        for size, tensor in self.shares_positive:
            positive = tensor.cpu().numpy()
            zero += size * (1 - float(positive.mean()))
            dead += int((positive == 0).sum())
            numbers, channels = numbers + size, channels + len(positive)
        return zero / numbers, dead / channels


@dataclass
class Tap:
    """A stage's output, cut: `out` is how it was computed, `leaf` what the next stage takes."""

    seen: Seen
    out: Tensor = None  # type: ignore[assignment]
    leaf: Tensor = None  # type: ignore[assignment]


@contextmanager
def tapping(net: Network, name: str) -> Iterator[Tap]:
    """Cut the graph behind a stage, so that its gradient comes to rest there and can be read."""
    module = getattr(net, name)
    relus = [m for _, m in module.named_modules() if isinstance(m, ConvReLU)]
    with watching(relus) as seen:
        tap, forward = Tap(seen), module.forward

        def cut(*inputs: Any) -> Tensor:
            tap.out = forward(*inputs)
            tap.leaf = tap.out.detach()
            tap.leaf.requires_grad = True
            return tap.leaf

        with replaced(module, cut):
            yield tap


@contextmanager
def watching(modules: Sequence[nn.Module]) -> Iterator[Seen]:
    """Note which numbers of what modules return are zero, or would be after ReLU."""
    seen = Seen()
    with ExitStack() as stack:
        for module in modules:
            stack.enter_context(replaced(module, _noting(seen, module.forward)))
        yield seen


def _noting(seen: Seen, forward: Any) -> Any:
    def noted(*inputs: Any) -> Tensor:
        out = forward(*inputs)
        axes = (0, *range(2, out.ndim))
        positive = (out.detach() > 0).astype(np.float32).mean(axes)
        seen.shares_positive.append((out.size, positive))
        return out

    return noted


@contextmanager
def replaced(module: nn.Module, forward: Any) -> Iterator[None]:
    """Give one module another `forward`, for a while."""
    before = vars(module).get("forward")
    module.forward = forward  # type: ignore[method-assign]
    try:
        yield
    finally:
        del module.forward
        if before is not None:
            module.forward = before  # type: ignore[method-assign]


def _back(taps: list[Tap], root: Tensor, keep: bool = False) -> list[Tensor | None]:
    """Send a loss back through all stages, the last first; return the gradient of each output."""
    for tap in taps:
        tap.leaf.grad = None
    root.backward(retain_graph=keep)
    for tap in reversed(taps[1:]):  # the first takes pictures, which want no gradient
        if tap.leaf.grad is not None:
            tap.out.backward(tap.leaf.grad, retain_graph=keep)
    return [tap.leaf.grad for tap in taps]


def _head(logits: Tensor, loss_: Tensor, hidden: Seen | None) -> dict[str, float | None]:
    values = logits.detach().cpu().numpy()
    said = np.bincount(values.argmax(1), minlength=values.shape[1])
    return {
        "loss": float(loss_.item()),
        "spread": float(values.std(0).mean()),
        "classes": int(np.count_nonzero(said)),
        "largest": float(said.max() / len(values)),
        "dead": None if hidden is None else hidden.shares()[1],
    }


def _norm(tensor: Tensor | None) -> float:
    return 0.0 if tensor is None else _number((tensor * tensor).sum()) ** 0.5


def _root_mean_square(tensor: Tensor) -> float:
    values = tensor.detach()
    return _number((values * values).mean()) ** 0.5


def _number(tensor: Tensor) -> float:
    return float(tensor.item())
