"""What the README shows is true."""

import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

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
