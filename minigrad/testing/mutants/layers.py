"""Mistakes in layers, modules and first values: options lost, modes ignored, state not copied."""
# A mistake takes what it breaks, and its docstring tells a story.
# mypy: allow-untyped-defs, no-check-untyped-defs
# ruff: noqa: D401

import numpy as np

from minigrad import functional, nn, random
from minigrad.nn import init
from minigrad.nn.module import Buffer, Module
from minigrad.testing.mutants.mutant import at, mutant

# -- dropout and batch normalisation -------------------------------------------------------------


@mutant("layers", at(nn.Dropout, "forward"))
def dropout_layer_drops_in_use(sound, layer, x):
    """eval() is not asked: predictions differ from call to call."""
    return functional.dropout(x, layer.p, True)


def _batch_norm(layer, x, mean, var, training):
    """Call the operation as the layer does, but for what a mistake changes."""
    scale = layer.weight, layer.bias
    return functional.batch_norm(x, mean, var, *scale, training, layer.momentum, layer.eps)


@mutant("layers", at(nn.BatchNorm2d, "forward"))
def batch_norm_layer_trains_on_running_statistics(sound, layer, x):
    """In training the batch moves the running statistics, but they normalise it already."""
    _batch_norm(layer, x, layer.running_mean, layer.running_var, layer.training)
    return _batch_norm(layer, x, layer.running_mean, layer.running_var, False)


@mutant("layers", at(nn.BatchNorm2d, "forward"))
def batch_norm_layer_uses_the_batch_in_use(sound, layer, x):
    """In use, a prediction depends on which other images are in the batch."""
    held = (None, None) if not layer.training else (layer.running_mean, layer.running_var)
    return _batch_norm(layer, x, *held, True)


@mutant("layers", at(nn.BatchNorm2d, "forward"))
def batch_norm_layer_statistics_move_in_use(sound, layer, x):
    """The running statistics go on moving while the network is evaluated."""
    if not layer.training:
        _batch_norm(layer, x, layer.running_mean, layer.running_var, True)
    return sound(layer, x)


@mutant("layers", at(nn.BatchNorm2d, "forward"))
def batch_norm_layer_statistics_not_kept(sound, layer, x):
    """The layer updates copies of its running statistics."""
    mean, var = (t.new(t.data.copy()) for t in (layer.running_mean, layer.running_var))
    return _batch_norm(layer, x, mean, var, layer.training)


@mutant("layers", at(nn.BatchNorm2d, "__init__"), historical=True)
def batch_norm_layer_options_exchanged(sound, layer, num_features, eps=1e-5, momentum=0.1):
    """Positional options go to the wrong parameters, as when an engine took ε for the width.

    Here momentum and ε change places.
    """
    sound(layer, num_features, momentum, eps)


# -- options that do not arrive ------------------------------------------------------------------


@mutant("layers", at(nn.Conv2d, "forward"))
def conv2d_layer_forgets_groups_and_dilation(sound, layer, x):
    """The layer hands on stride and padding and stops there."""
    weight = layer.weight
    if layer.groups > 1:
        return sound(layer, x)
    return functional.conv2d(x, weight, layer.bias, layer.stride, layer.padding)


@mutant("layers", at(nn.MaxPool2d, "forward"))
def max_pool2d_layer_forgets_ceil_mode(sound, layer, x):
    """Ceil mode is kept, shown by repr, and not handed on."""
    options = layer.kernel_size, layer.stride, layer.padding, layer.dilation
    return functional.max_pool2d(x, *options)


@mutant("layers", at(nn.AvgPool2d, "forward"))
def avg_pool2d_layer_options_exchanged(sound, layer, x):
    """count_include_pad goes where ceil_mode belongs, and back."""
    options = layer.kernel_size, layer.stride, layer.padding
    return functional.avg_pool2d(x, *options, layer.count_include_pad, layer.ceil_mode)


@mutant("layers", at(nn.LocalResponseNorm, "forward"))
def lrn_layer_alpha_and_beta_exchanged(sound, layer, x):
    """Alpha and beta go to each other's place: 0.0001 and 0.75 are both small numbers."""
    return functional.local_response_norm(x, layer.size, layer.beta, layer.alpha, layer.k)


@mutant("layers", at(nn.CrossEntropyLoss, "forward"))
def cross_entropy_layer_forgets_smoothing(sound, layer, logits, target):
    """The loss is made with label smoothing and computed without."""
    options = layer.weight, layer.ignore_index, layer.reduction
    return functional.cross_entropy(logits, target, *options)


@mutant("layers", at(nn.Flatten, "forward"))
def flatten_layer_takes_the_batch_along(sound, layer, x):
    """The layer flattens from the first axis on."""
    return x.flatten(0, layer.end_axis)


@mutant("layers", at(nn.Sequential, "forward"))
def sequential_skips_the_first(sound, layers, x):
    """The loop over layers starts at one."""
    for i in range(1, len(layers)):
        x = layers[i](x)
    return x


# -- modules -------------------------------------------------------------------------------------


@mutant("module", at(Module, "load_state_dict"))
def module_loads_nothing(sound, module, state):
    """Names and shapes are checked, and the numbers stay what they were."""
    kept = {name: array.copy() for name, array in module.state_dict().items()}
    sound(module, state)
    sound(module, kept)


@mutant("module", at(Module, "load_state_dict"))
def module_shares_what_it_loads(sound, module, state):
    """The arrays of the state become the parameters: training goes on in the saved copy."""
    sound(module, state)
    named = dict([*module.named_parameters(), *module.named_buffers()])
    for name, array in state.items():
        if isinstance(array, np.ndarray):
            named[name].data = array


@mutant("module", at(Module, "state_dict"))
def module_state_without_buffers(sound, module):
    """Running statistics are not saved: a loaded network normalises with those it began with."""
    return {name: tensor.data for name, tensor in module.named_parameters()}


@mutant("module", at(Module, "train"))
def module_mode_of_the_outermost_only(sound, module, mode=True):
    """eval() does not reach the layers inside."""
    module.training = mode
    return module


@mutant("module", at(Module, "zero_grad"))
def module_grads_not_forgotten(sound, module):
    """zero_grad does nothing: gradients of all steps so far add up."""


@mutant("module", at(Module, "_named"))
def module_shared_parameters_counted_twice(sound, module, kind):
    """A parameter that two layers share is listed twice, and an optimiser moves it twice."""
    for prefix, child in module.named_modules():
        for name, value in vars(child).items():
            if isinstance(value, kind):
                yield f"{prefix}.{name}" if prefix else name, value


@mutant("module", at(Module, "named_children"))
def module_does_not_look_into_lists(sound, module):
    """Layers in a list are run, and never trained: nobody finds their parameters."""
    return ((name, value) for name, value in vars(module).items() if isinstance(value, Module))


@mutant("module", at(Module, "astype"))
def module_astype_forgets_buffers(sound, module, dtype):
    """Parameters become float64 and running statistics stay float32."""
    before = [(buffer, buffer.data) for _, buffer in module.named_buffers()]
    sound(module, dtype)
    for buffer, data in before:
        if isinstance(buffer, Buffer):
            buffer.data = data
    return module


# -- first values --------------------------------------------------------------------------------


@mutant("init", at(init, "fans"))
def init_fans_exchanged(sound, tensor):
    """fan_in and fan_out are exchanged: signals grow or fade wherever a layer changes width."""
    return sound(tensor)[::-1]


@mutant("init", at(init, "fans"))
def init_fans_without_the_window(sound, tensor):
    """A unit's inputs are counted by channels, not by channels times the area of the kernel."""
    outputs, inputs = tensor.shape[:2]
    return inputs, outputs


@mutant("init", at(init, "normal_"))
def init_variance_for_deviation(sound, tensor, mean, std, generator):
    """A variance is drawn where a deviation was asked for."""
    return sound(tensor, mean, std**2, generator)


@mutant("init", at(random, "default_generator"))
def init_not_seeded(sound):
    """Layers draw from a generator that nobody seeded: no run can be repeated."""
    return np.random.default_rng()
