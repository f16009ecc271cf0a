"""Judges from outside: what others say that our operations must compute.

`test_onnx` runs the cases that the ONNX standard publishes for its operators, `test_torch_samples`
the inputs on which PyTorch tests itself, `test_torch_optimizers` PyTorch's optimisers and
schedules beside ours. ``python -m tests.conformance.report`` prints what each of them judges, and
what is left out and why.
"""
