"""The linear layer, rung 2: one matrix product each, in NumPy."""


def linear_forward(x, weight, bias):
    """Weigh and sum: (N, I), (O, I), (O,) or None → (N, O)."""
    out = x @ weight.T
    return out if bias is None else out + bias


def linear_input_gradient(gradient, weight):
    """(N, O), (O, I) → (N, I)."""
    return gradient @ weight


def linear_weight_gradient(gradient, x):
    """(N, O), (N, I) → (O, I)."""
    return gradient.T @ x


def linear_bias_gradient(gradient):
    """(N, O) → (O,)."""
    return gradient.sum(axis=0)
