"""What has to hold, whatever the numbers are: laws between two runs of an operation.

A gradient check says that backward belongs to forward. It does not say that forward is right, nor
that both are right at every corner. A law compares an operation with itself, on an input that was
changed in a way whose effect is known: permute the batch, shift the image, double an example. It
needs no second implementation and no table of expected values, and on integers most laws are exact,
without a tolerance.

Each law is a function. It takes the operation, something that is called with Tensors, and arrays;
it returns nothing, or raises an AssertionError that names the law, the place, and both numbers.

=====================  ============================================================================
for                    laws
=====================  ============================================================================
linear maps            `adjoint`, `linear`, `affine`, `bilinear`, `concat_then_split`
all maps               `equivalent`, `monotone`, `idempotent`, `positively_homogeneous`,
                       `positive_and_negative_parts`, `sign_symmetric`, `gradient_sums_to_zero`
batches and images     `batch_permutation`, `examples_are_independent`, `shift_equivariant`
convolution            `pointwise_convolution_is_matmul`,
                       `groups_are_concatenated_convolutions`
pooling                `padding_never_wins`, `maximum_is_at_least_average`,
                       `chosen_from_the_image`, `winner_takes_all`, `first_of_equals_wins`
normalisation          `lrn_of_size_one`, `lrn_damps_its_neighbours`, `batch_norm_normalises`,
                       `invariant_to_scale_and_shift`, `running_statistics_follow_the_batch`,
                       `batch_norm_uses_running_statistics`
softmax                `softmax_shift_invariant`, `rows_sum_to_one`, `log_softmax_is_log_of_softmax`
losses                 `cross_entropy_is_nll_of_log_softmax`, `ignored_examples_do_not_count`,
                       `class_weights_are_repetition`, `label_smoothing_is_linear`
dropout                `dropout_keeps_the_mean`, `dropout_keeps_or_drops`,
                       `dropout_gradient_goes_through_the_gate`
the engine             `rungs_agree`, `threads_agree`, `deterministic`, `inputs_unchanged`,
                       `keeps_dtype`, `same_for_any_memory_layout`, `gradients_accumulate`,
                       `gradients_alone`
=====================  ============================================================================

Examples
--------
>>> import numpy as np
>>> from minigrad import functional as F
>>> from minigrad.testing import laws
>>> laws.shift_equivariant(lambda x: F.max_pool2d(x, 3, stride=2), np.ones((1, 2, 5, 5)), stride=2)
>>> laws.linear(F.relu, np.array([1.0, -1.0]), np.array([0.0, 2.0]))
Traceback (most recent call last):
    ...
AssertionError: linear: at [1] f(2·x − 3·y) is 0.0 but 2·f(x) − 3·f(y) is -6.0 ...
"""

from minigrad.testing.laws.algebra import (
    adjoint,
    affine,
    bilinear,
    linear,
    positively_homogeneous,
)
from minigrad.testing.laws.dropout import (
    dropout_gradient_goes_through_the_gate,
    dropout_keeps_or_drops,
    dropout_keeps_the_mean,
)
from minigrad.testing.laws.engine import (
    deterministic,
    gradients_accumulate,
    gradients_alone,
    inputs_unchanged,
    keeps_dtype,
    rungs_agree,
    same_for_any_memory_layout,
    threads_agree,
)
from minigrad.testing.laws.functions import (
    concat_then_split,
    equivalent,
    gradient_sums_to_zero,
    idempotent,
    monotone,
    positive_and_negative_parts,
    sign_symmetric,
)
from minigrad.testing.laws.images import (
    batch_permutation,
    examples_are_independent,
    groups_are_concatenated_convolutions,
    pointwise_convolution_is_matmul,
    shift_equivariant,
)
from minigrad.testing.laws.losses import (
    class_weights_are_repetition,
    cross_entropy_is_nll_of_log_softmax,
    ignored_examples_do_not_count,
    label_smoothing_is_linear,
    log_softmax_is_log_of_softmax,
    rows_sum_to_one,
    softmax_shift_invariant,
)
from minigrad.testing.laws.normalization import (
    batch_norm_normalises,
    batch_norm_uses_running_statistics,
    invariant_to_scale_and_shift,
    lrn_damps_its_neighbours,
    lrn_of_size_one,
    running_statistics_follow_the_batch,
)
from minigrad.testing.laws.pooling import (
    chosen_from_the_image,
    first_of_equals_wins,
    maximum_is_at_least_average,
    padding_never_wins,
    winner_takes_all,
)

__all__ = [
    "adjoint",
    "affine",
    "batch_norm_normalises",
    "batch_norm_uses_running_statistics",
    "batch_permutation",
    "bilinear",
    "chosen_from_the_image",
    "class_weights_are_repetition",
    "concat_then_split",
    "cross_entropy_is_nll_of_log_softmax",
    "deterministic",
    "dropout_gradient_goes_through_the_gate",
    "dropout_keeps_or_drops",
    "dropout_keeps_the_mean",
    "equivalent",
    "examples_are_independent",
    "first_of_equals_wins",
    "gradient_sums_to_zero",
    "gradients_accumulate",
    "gradients_alone",
    "groups_are_concatenated_convolutions",
    "idempotent",
    "ignored_examples_do_not_count",
    "inputs_unchanged",
    "invariant_to_scale_and_shift",
    "keeps_dtype",
    "label_smoothing_is_linear",
    "linear",
    "log_softmax_is_log_of_softmax",
    "lrn_damps_its_neighbours",
    "lrn_of_size_one",
    "maximum_is_at_least_average",
    "monotone",
    "padding_never_wins",
    "pointwise_convolution_is_matmul",
    "positive_and_negative_parts",
    "positively_homogeneous",
    "rows_sum_to_one",
    "rungs_agree",
    "running_statistics_follow_the_batch",
    "same_for_any_memory_layout",
    "shift_equivariant",
    "sign_symmetric",
    "softmax_shift_invariant",
    "threads_agree",
    "winner_takes_all",
]
