"""Layers with one mistake each, by the property of `check_layer` that is there to see it."""

import numpy as np

import minigrad
from minigrad import Tensor, get_num_threads, is_recording, nn, tensor
from minigrad import functional as F
from minigrad.autograd import record
from minigrad.device import _forced
from minigrad.nn import Buffer, Module, Parameter, parameter


class Affine(Module):
    """Sound: a weight and a bias for each column. What others are made from."""

    def __init__(self, features=4):
        self.features = features
        self.weight = parameter(np.ones(features, np.float32))
        self.bias = parameter(np.zeros(features, np.float32))

    def forward(self, x):
        return x * self.weight + self.bias


class RunningMean(Module):
    """Sound: in training it takes the mean of the batch away, in eval the running mean."""

    def __init__(self, features=4):
        self.features = features
        self.mean = Buffer(np.zeros(features, np.float32))

    def forward(self, x):
        if not self.training:
            return x - self.mean
        if len(x):
            self.mean.data[...] = 0.9 * self.mean.data + 0.1 * x.data.mean(0)
        return x - x.mean(0)


# -- runs ----------------------------------------------------------------------------------------


class OtherWidth(Affine):
    def __init__(self):
        super().__init__(5)


class GivesAnArray(Module):
    def forward(self, x):
        return x.data * 2


class GivesNothing(Module):
    def forward(self, x):
        x * 2


class OnlyTrains(Module):
    def forward(self, x):
        if not self.training:
            raise KeyError("there is no way to use this")
        return x * 2


class NoWayBack(Module):
    def forward(self, x):
        return record("double", x.data * 2, (x, lambda gradient: gradient[:1]))


# -- gradients -----------------------------------------------------------------------------------


class LrnWithoutCrossTerm(Module):
    """Backward takes the scale for a constant, although it depends on x."""

    def forward(self, x):
        scale = _scale(x.data)
        return record("lrn", x.data * scale, (x, lambda gradient: gradient * scale))


class LrnWithDetachedScale(Module):
    """The same mistake in plain operations."""

    def forward(self, x):
        return x * Tensor(_scale(x.detach().data))


def _scale(x):
    """(1 + squares of the channel and of those beside it) ^ −¾."""
    squares = np.pad(x * x, ((0, 0), (1, 1), (0, 0), (0, 0)))
    return (1 + squares[:, :-2] + squares[:, 1:-1] + squares[:, 2:]) ** -0.75


def softmax_without_its_sum(x):
    power = np.exp(x.data - x.data.max(1, keepdims=True))
    out = power / power.sum(1, keepdims=True)
    return record("softmax", out, (x, lambda gradient: gradient * out))


class ScaleOfWrongGradient(Affine):
    """The weight's gradient forgets to multiply with x."""

    def forward(self, x):
        w, image = self.weight.data, x.data
        return record(
            "scale", image * w,
            (x, lambda gradient: gradient * w),
            (self.weight, lambda gradient: gradient.sum(0)),
        ) + self.bias  # fmt: skip


class NormWithoutWeight(nn.BatchNorm2d):
    """In the gradient of x the weight is taken for 1, which it is at first."""

    def forward(self, x):
        weight = self.weight.data[:, None, None]
        return super().forward(record("x", x.data.copy(), (x, lambda gradient: gradient / weight)))


# -- connected -----------------------------------------------------------------------------------


class Unused(Affine):
    def forward(self, x):
        return x * self.weight


# -- writing into arrays -------------------------------------------------------------------------


class WritesIntoInput(Module):
    def forward(self, x):
        x.data[x.data < 0] = 0
        return x * 1


class WritesIntoInputOnTheWayBack(Module):
    def forward(self, x):
        def vjp(gradient):
            x.data[...] *= 2
            return gradient * 2

        return record("double", x.data * 2, (x, vjp))


class WritesIntoGradient(Module):
    """Which is another branch's gradient too, if the output is used twice."""

    def forward(self, x):
        def vjp(gradient):
            gradient *= 2
            return gradient

        return record("double", x.data * 2, (x, vjp)) + 1


class WritesIntoLabels(nn.CrossEntropyLoss):
    def forward(self, logits, target):
        target[target > 1] = 1
        return super().forward(logits, target)


class WritesIntoParameter(Affine):
    def forward(self, x):
        self.weight.data[...] = np.sign(self.weight.data)
        return super().forward(x)


class WritesIntoParameterOnTheWayBack(Affine):
    def forward(self, x):
        def vjp(gradient):
            self.weight.data -= 0.1
            return gradient.copy()

        out = super().forward(x)
        return record("copy", out.data.copy(), (out, vjp))


# -- the same again ------------------------------------------------------------------------------


class Counts(Module):
    calls = 0

    def forward(self, x):
        self.calls += 1
        return x * float(self.calls)


class GlobalRandom(Module):
    """Random numbers that `minigrad.manual_seed` does not start."""

    def forward(self, x):
        return x * np.random.random() if self.training else x  # noqa: NPY002


class OwnGenerator(Module):
    def __init__(self):
        self.generator = np.random.default_rng(0)

    def forward(self, x):
        return x * self.generator.random() if self.training else x


# -- eval ----------------------------------------------------------------------------------------


class ForgetsEval(nn.Dropout):
    def forward(self, x):
        return F.dropout(x, self.p)


class LearnsInEval(RunningMean):
    def forward(self, x):
        if len(x):
            self.mean.data[...] = 0.9 * self.mean.data + 0.1 * x.data.mean(0)
        return x - self.mean.detach().data * 0


class KeepsModeToItself(nn.Sequential):
    def train(self, mode=True):
        self.training = mode
        return self


# -- batch ---------------------------------------------------------------------------------------


class AlwaysBatchMean(Module):
    def forward(self, x):
        return x - x.mean(0) if len(x) else x


class NeighbourInBatch(Module):
    """Adds the next row: a wrong axis."""

    def forward(self, x):
        return x + minigrad.concat([x[1:], x[:1]], axis=0)


class FixedBatch(Module):
    def forward(self, x):
        return x.reshape(3, 2, 2) if len(x) else x.reshape(0, 2, 2)


# -- empty batch ---------------------------------------------------------------------------------


class LargestOfAll(Module):
    """NumPy, and not the layer, complains about an empty array."""

    def forward(self, x):
        largest = float(np.max(np.abs(x.data)))
        return x * (2.0 if largest >= 0 else 3.0)


class AtLeastOne(Module):
    def forward(self, x):
        return x * 2 if len(x) else tensor(np.zeros((1, *x.shape[1:]), x.dtype))


class NanForNobody(Affine):
    """The mean of no gradients."""

    def forward(self, x):
        w, image = self.weight.data, x.data
        return record(
            "scale", image * w,
            (x, lambda gradient: gradient * w),
            (self.weight, lambda gradient: (gradient * image).mean(0) * len(image)),
        ) + self.bias  # fmt: skip


# -- dtypes --------------------------------------------------------------------------------------


class ComputesInFloat32(Module):
    def forward(self, x):
        return (x.astype(np.float32) * 2).tanh().astype(x.dtype)


class ComputesInFloat32Inside(Module):
    """As above, where the graph does not show it."""

    def forward(self, x):
        y = np.tanh(x.data.astype(np.float32)).astype(x.dtype)
        return record("tanh", y, (x, lambda gradient: gradient * (1 - y * y)))


class Float32Residual(Module):
    """A part of the sum is float32."""

    def forward(self, x):
        y = np.sin(3 * x.data.astype(np.float32)).astype(x.dtype)
        slope = 1 + 3 * np.cos(3 * x.data)
        return record("residual", x.data + y, (x, lambda gradient: gradient * slope))


class Float32Backward(Module):
    def forward(self, x):
        def vjp(gradient):
            return (gradient.astype(np.float32) * np.cos(x.data).astype(np.float32)).astype(x.dtype)

        return record("sin", np.sin(x.data), (x, vjp))


class AlwaysFloat64(Module):
    def forward(self, x):
        return x.astype(np.float64) * 2


class AlwaysFloat32(Module):
    def forward(self, x):
        return x.astype(np.float32) * 2


class Float32Constant(Module):
    """An array that `astype` does not know: no buffer."""

    def __init__(self):
        self.kernel = tensor(np.eye(4, dtype=np.float32))

    def forward(self, x):
        return F.linear(x, self.kernel)


class HalfPrecision(Module):
    """In float32, three digits only."""

    def forward(self, x):
        y = x.data.astype(np.float16).astype(x.dtype) if x.dtype == np.float32 else x.data
        return record("half", y, (x, lambda gradient: gradient))


# -- however it is computed ----------------------------------------------------------------------


class AssumesContiguous(Module):
    def forward(self, x):
        y = x.data.ravel(order="K").reshape(x.shape)
        return record("copy", y.copy(), (x, lambda gradient: gradient))


class AssumesContiguousGradient(Module):
    def forward(self, x):
        def vjp(gradient):
            return 2 * gradient.ravel(order="K").reshape(gradient.shape)

        return record("double", x.data * 2, (x, vjp))


class OtherOnOneRung(Module):
    def forward(self, x):
        return x * (3.0 if _forced.get() == "naive" else 2.0)


class OtherOnThreads(Module):
    def forward(self, x):
        return x * (1 + 2.0**-20 * get_num_threads())


class OtherUnrecorded(Module):
    def forward(self, x):
        return x * 2 if is_recording() else x * 2 + 0.001


class RecordsAnyway(Module):
    def forward(self, x):
        out = x * 2
        if out.node is None and x.node is not None:
            out.node = minigrad.autograd.Node("mine", out.data, (x.node,), (lambda g: 2 * g,))
        return out


# -- state ---------------------------------------------------------------------------------------


class MeanIsNoBuffer(Module):
    def __init__(self):
        self.mean = np.zeros(4)

    def forward(self, x):
        if not self.training:
            return x - Tensor(self.mean.astype(x.dtype))
        if len(x):
            self.mean = 0.9 * self.mean + 0.1 * x.data.mean(0)
        return x - x.mean(0)


class ParametersInList(Module):
    def __init__(self):
        self.weights = [Parameter(np.ones(4, np.float32)), Parameter(np.ones(4, np.float32))]

    def forward(self, x):
        first, second = (Tensor(w.data.astype(x.dtype)) for w in self.weights)
        return x * first * second


class LayersInSet(Module):
    def __init__(self):
        self.layers = {nn.ReLU()}

    def forward(self, x):
        return next(iter(self.layers))(x)


class LoadsOnlyWeights(Affine):
    def load_state_dict(self, state):
        super().load_state_dict({**state, "bias": self.bias.data})


# -- repr ----------------------------------------------------------------------------------------


class ReprWithAddress(Module):
    def __repr__(self):
        return object.__repr__(self)


class EmptyRepr(Module):
    def __repr__(self):
        return ""


class ReprRaises(Module):
    def __repr__(self):
        return "ReprRaises" + self.nothing


for _class in (ReprWithAddress, EmptyRepr, ReprRaises):
    _class.forward = lambda self, x: x * 2

IMAGES = (2, 4, 2, 3)
ROWS = (3, 4)
NO_PARAMETERS = {"parameter_gradients", "connected", "parameters_unchanged"}
NO_MODULE = {"eval", "state_dict", "repr", *NO_PARAMETERS}
WITH_PARAMETERS = {
    "input_gradients", "parameter_gradients", "dtypes", "deterministic", "eval", "batch",
    "state_dict",
}  # fmt: skip

# (layer, its input, the property that fails, those that are not checked)
BROKEN = [
    (LrnWithoutCrossTerm(), IMAGES, "input_gradients", NO_PARAMETERS),
    (LrnWithDetachedScale(), IMAGES, "input_gradients", NO_PARAMETERS),
    (softmax_without_its_sum, ROWS, "input_gradients", NO_MODULE),
    (NormWithoutWeight(3), (3, 3, 2, 2), "input_gradients", set()),
    (ScaleOfWrongGradient(), ROWS, "parameter_gradients", set()),
    (Unused(), ROWS, "connected", set()),
    (WritesIntoInput(), ROWS, "inputs_unchanged", {*NO_PARAMETERS, "input_gradients", "dtypes"}),
    (
        WritesIntoInputOnTheWayBack(), ROWS, "inputs_unchanged",
        {*NO_PARAMETERS, "input_gradients", "dtypes"},
    ),
    (
        WritesIntoGradient(), ROWS, "inputs_unchanged",
        {*NO_PARAMETERS, "input_gradients", "dtypes"},
    ),
    (
        WritesIntoLabels(), (ROWS, np.array([0, 3, 2])), "inputs_unchanged",
        {*NO_PARAMETERS, "input_gradients", "dtypes", "batch"},
    ),
    (WritesIntoParameter(), ROWS, "parameters_unchanged", WITH_PARAMETERS),
    (WritesIntoParameterOnTheWayBack(), ROWS, "parameters_unchanged", WITH_PARAMETERS),
    (Counts(), ROWS, "deterministic", {*NO_PARAMETERS, "state_dict"}),
    (GlobalRandom(), ROWS, "deterministic", {*NO_PARAMETERS, "state_dict"}),
    (OwnGenerator(), ROWS, "deterministic", {*NO_PARAMETERS, "state_dict"}),
    (ForgetsEval(), ROWS, "eval", {*NO_PARAMETERS, "batch"}),
    (LearnsInEval(), ROWS, "eval", {*NO_PARAMETERS, "batch"}),
    (KeepsModeToItself(nn.Dropout(0.0)), ROWS, "eval", {*NO_PARAMETERS, "batch"}),
    (AlwaysBatchMean(), ROWS, "batch", NO_PARAMETERS),
    (NeighbourInBatch(), ROWS, "batch", NO_PARAMETERS),
    (FixedBatch(), ROWS, "batch", NO_PARAMETERS),
    (lambda x: F.softmax(x, 0), ROWS, "batch", NO_MODULE),
    (LargestOfAll(), ROWS, "empty_batch", NO_PARAMETERS),
    (AtLeastOne(), ROWS, "empty_batch", NO_PARAMETERS),
    (NanForNobody(), ROWS, "empty_batch", set()),
    (ComputesInFloat32(), ROWS, "dtypes", {*NO_PARAMETERS, "input_gradients"}),
    (ComputesInFloat32Inside(), ROWS, "dtypes", {*NO_PARAMETERS, "input_gradients"}),
    (Float32Residual(), ROWS, "dtypes", {*NO_PARAMETERS, "input_gradients"}),
    (Float32Backward(), ROWS, "dtypes", {*NO_PARAMETERS, "input_gradients"}),
    (AlwaysFloat64(), ROWS, "dtypes", {*NO_PARAMETERS, "input_gradients"}),
    (AlwaysFloat32(), ROWS, "dtypes", {*NO_PARAMETERS, "input_gradients"}),
    (Float32Constant(), ROWS, "dtypes", {*NO_PARAMETERS, "input_gradients"}),
    (HalfPrecision(), ROWS, "dtypes", {*NO_PARAMETERS, "input_gradients"}),
    (AssumesContiguous(), (1, 2, 3), "memory", NO_PARAMETERS),
    (AssumesContiguousGradient(), (2, 3), "memory", NO_PARAMETERS),
    (OtherOnOneRung(), ROWS, "rungs", NO_PARAMETERS),
    (OtherOnThreads(), ROWS, "threads", NO_PARAMETERS),
    (OtherUnrecorded(), ROWS, "no_grad", NO_PARAMETERS),
    (RecordsAnyway(), ROWS, "no_grad", NO_PARAMETERS),
    (MeanIsNoBuffer(), ROWS, "state_dict", NO_PARAMETERS),
    (ParametersInList(), ROWS, "state_dict", NO_PARAMETERS),
    (LayersInSet(), ROWS, "state_dict", NO_PARAMETERS),
    (LoadsOnlyWeights(), ROWS, "state_dict", set()),
    (ReprWithAddress(), ROWS, "repr", NO_PARAMETERS),
    (EmptyRepr(), ROWS, "repr", NO_PARAMETERS),
    (ReprRaises(), ROWS, "repr", NO_PARAMETERS),
]  # fmt: skip
