"""Every differentiable operation: a plain one is a file, one with kernels is a folder.

An operation is one function. It checks shapes, computes arrays, and returns
`record(name, result, (parent, vjp), …)`. See `minigrad.autograd`.
"""
