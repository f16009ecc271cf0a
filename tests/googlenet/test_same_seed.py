"""The same seed gives the same model file, byte for byte, whatever computes it how fast."""

import os
import subprocess
import sys

MANY = ("--threads", "2", "--workers", "3")


def model(folder, *options):
    command = [sys.executable, "-m", "googlenet", "train", "--quiet", "--run", str(folder)]
    command += ["--epochs", "2", "--pictures", "160", "--batch-size", "32", *options]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=600, check=False, env={**os.environ}
    )
    assert done.returncode == 0, done.stderr
    return (folder / "model.safetensors").read_bytes()


def test_the_model_is_the_same_to_the_byte(tmp_path):
    one = model(tmp_path / "one", "--seed", "5", "--threads", "1", "--workers", "1")
    assert model(tmp_path / "many", "--seed", "5", *MANY) == one
    assert model(tmp_path / "other", "--seed", "6", *MANY) != one
