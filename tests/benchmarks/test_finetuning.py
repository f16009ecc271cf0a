"""What is measured of a training that was stopped."""

from pathlib import Path

import pytest

from benchmarks import finetuning


def test_a_training_that_was_stopped_is_begun_anew_and_a_finished_one_is_not(monkeypatch, tmp_path):
    run, begun = tmp_path / "run", []

    def pretend(command, **options):
        begun.append(command)
        made = Path(command[command.index("--run") + 1])
        made.mkdir()  # as googlenet does: it refuses one that is there
        (made / "model.safetensors").touch()
        if len(begun) == 1:
            raise KeyboardInterrupt
        (made / "metrics.csv").write_text("epoch,test_accuracy\n1,0.5\n2,0.75\n")

    monkeypatch.setattr(finetuning.subprocess, "run", pretend)
    with pytest.raises(KeyboardInterrupt):
        finetuning.train(run, tmp_path)
    accuracy, seconds = finetuning.train(run, tmp_path)
    assert accuracy == 0.75
    assert (accuracy, seconds) == finetuning.train(run, tmp_path)
    assert len(begun) == 2
