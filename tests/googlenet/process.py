"""The command line as a process of its own, as a shell runs it."""

import os
import subprocess
import sys


def googlenet(*arguments, cwd=None):
    """Run a command to its end; return what it printed, and its exit code."""
    return subprocess.run(
        [sys.executable, "-m", "googlenet", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=600,
        check=False,
        # Elsewhere too, the code is what these tests are beside.
        env={**os.environ, "COLUMNS": "120", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
