"""The operations, under the names people know from PyTorch.

Each is defined, derived and documented in its own room of `minigrad.ops`.
"""

from minigrad.ops.batch_norm import batch_norm
from minigrad.ops.concat import concat
from minigrad.ops.conv import col2im, conv2d, im2col
from minigrad.ops.dropout import dropout
from minigrad.ops.linear import linear
from minigrad.ops.lrn import local_response_norm
from minigrad.ops.pool import adaptive_avg_pool2d, avg_pool2d, max_pool2d
from minigrad.ops.relu import relu
from minigrad.ops.shape import pad
from minigrad.ops.softmax_cross_entropy import cross_entropy, log_softmax, nll_loss, softmax

__all__ = [
    "adaptive_avg_pool2d",
    "avg_pool2d",
    "batch_norm",
    "col2im",
    "concat",
    "conv2d",
    "cross_entropy",
    "dropout",
    "im2col",
    "linear",
    "local_response_norm",
    "log_softmax",
    "max_pool2d",
    "nll_loss",
    "pad",
    "relu",
    "softmax",
]
