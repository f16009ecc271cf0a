"""What the README shows is true."""

import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

from minigrad.testing import LayerError

README = (Path(__file__).parent.parent / "README.md").read_text()


def test_autograd_example_prints_what_it_says():
    code = re.search(r"## Ten lines of autograd\n\n```python\n(.*?)```", README, re.DOTALL)[1]
    said = re.findall(r"print\(.*\)  # (.*)", code)
    assert len(said) >= 2
    printed = StringIO()
    with redirect_stdout(printed):
        exec(code, {})
    lines = printed.getvalue().splitlines()
    assert lines[: len(said)] == said


def test_rooms_on_the_map_exist():
    root = Path(__file__).parent.parent
    table = re.findall(r"^\| (`.*?) \|", README, re.MULTILINE)
    paths = [p for row in table for p in re.findall(r"`([\w./]+)`", row)]
    assert len(paths) > 10
    homes = (root, root / "minigrad", root / "googlenet")
    for path in paths:
        assert any((home / path).exists() for home in homes), path


def test_the_layer_with_a_mistake_is_found_out_as_it_says():
    section = README.split("## Property-test a layer of your own")[1].split("\n## ")[0]
    code = re.search(r"```python\n(.*?)```", section, re.DOTALL)[1]
    said = re.search(r"```\n(the gradient.*?)```", section, re.DOTALL)[1].splitlines()
    with pytest.raises(LayerError) as caught:
        exec(code, {"__name__": "readme"})
    message = str(caught.value)
    for line in said:
        assert line in message
    failed = re.findall(r"^ *✗ (\w+)  ", message, re.MULTILINE)
    assert failed == re.findall(r"`✗ (\w+)`", section)
