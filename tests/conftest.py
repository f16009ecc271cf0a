"""The hypothesis profile, the seed, and which files need what is not installed."""

import os
from importlib.util import find_spec

import pytest
from hypothesis import HealthCheck, settings

import minigrad

settings.register_profile(
    "dev", max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)

# Where there is no PyTorch files that are written in it cannot even be looked at for doctests.
collect_ignore_glob = [] if find_spec("torch") else ["googlenet/torch_*.py"]


def pytest_configure(config: pytest.Config) -> None:
    """Draw 40 examples of every property, 10 under HYPOTHESIS_PROFILE=dev.

    The profile "minigrad" comes from minigrad's own pytest plugin, with --minigrad-thorough.
    """
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "minigrad"))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Start the default stream again: what a test draws does not depend on the tests before it."""
    minigrad.manual_seed(0)
