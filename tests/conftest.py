"""Hypothesis profiles: `dev` while writing, `ci` by default, `thorough` when there is time."""

import os
from importlib.util import find_spec

from hypothesis import HealthCheck, settings

# The first call of a kernel compiles it, so no single example has a deadline.
COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("dev", max_examples=10, **COMMON)
settings.register_profile("ci", max_examples=40, print_blob=True, **COMMON)
settings.register_profile("thorough", max_examples=1000, print_blob=True, **COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

# Where there is no PyTorch the file that is written in it cannot even be looked at for doctests.
collect_ignore = [] if find_spec("torch") else ["googlenet/torch_googlenet.py"]
