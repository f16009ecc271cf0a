"""The gallery: every lesson is in it, every link leads somewhere, no picture is left over."""

import re
import shutil
from importlib.util import find_spec

import pytest
from click.testing import CliRunner
from PIL import Image

from examples import gallery
from examples.lesson import keep
from tests.examples.cells import cells_of
from tests.examples.test_lessons import EXAMPLES, LESSONS, ROOT

PAGE = (EXAMPLES / "README.md").read_text()
LINKS = re.findall(r'\]\(([^)\s]+)\)|src="([^"]+)"', PAGE)
TARGETS = {target for pair in LINKS for target in pair if target}
DRAWN = [
    *(EXAMPLES / "pictures").iterdir(),
    *EXAMPLES.glob("*.png"),
    *EXAMPLES.glob("*.svg"),
]
MOST, MOST_TOGETHER = 150_000, 2_000_000


def test_links_lead_somewhere():
    assert len(TARGETS) > 2 * len(LESSONS)
    assert [target for target in TARGETS if not (EXAMPLES / target).exists()] == []


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_is_there_with_its_title_and_its_picture(lesson):
    title = cells_of(lesson.read_text())[0].text.splitlines()[0].removeprefix("# ")
    (row,) = (line for line in PAGE.splitlines() if f"]({lesson.name})" in line)
    assert row.startswith(f"| [{title}]({lesson.name}) | ")
    _, question, shown, seconds = row.strip("| ").split(" | ")
    assert question.endswith("?")
    drawn = re.findall(r'picture\(figure, "([^"]+)"\)', lesson.read_text())
    assert drawn
    for name in drawn:
        assert f'[<img src="pictures/{name}.png"' in shown
        assert f"](pictures/{name}.png)" in shown
    assert 0 < float(seconds) <= 20


def test_no_picture_is_left_over_or_large():
    left = [file.name for file in DRAWN if file.relative_to(EXAMPLES).as_posix() not in TARGETS]
    assert left == []
    sizes = {file.name: file.stat().st_size for file in DRAWN}
    assert max(sizes.values()) <= MOST
    assert sum(sizes.values()) <= MOST_TOGETHER


def test_pictures_have_words_for_those_who_cannot_see_them():
    tags = re.findall("<img [^>]+>", PAGE)
    assert len(tags) > len(LESSONS)
    for tag in tags:
        assert re.search('alt="[^"]{10,}"', tag), tag


def test_commands_are_there():
    blocks = "\n".join(re.findall("```\n(.*?)```", PAGE, re.S))
    inline = "\n".join(re.findall("`([^`\n]+)`", PAGE))
    modules = set(re.findall(r"python -m (examples\.\w+)", blocks + "\n" + inline))
    assert {"examples.gallery", "examples.microscope", "examples.graphs"} <= modules
    assert all(find_spec(module) for module in modules)
    files = re.findall(r"examples/\w+\.py", blocks + "\n" + inline)
    assert files
    assert all((ROOT / file).is_file() for file in files)


def test_every_picture_has_a_maker(tmp_path):
    made = gallery.makers(tmp_path)
    assert [name for name in made if name.isdigit()] == [lesson.name[:2] for lesson in LESSONS]
    pictures = (file.stem for file in DRAWN if file.parent != EXAMPLES)
    assert {name.split("-")[0] for name in pictures} <= set(made)


def test_it_makes_what_is_named_and_says_what_there_is(tmp_path):
    folder = tmp_path / "pictures"
    done = CliRunner().invoke(gallery.main, ["convolution", "--folder", str(folder)])
    assert done.exit_code == 0, done.output
    assert re.fullmatch(r"convolution: \d+\.\d s\n", done.output)
    with (
        Image.open(tmp_path / "convolution.png") as drawn,
        Image.open(EXAMPLES / "convolution.png") as kept,
    ):
        assert drawn.size == kept.size
    wrong = CliRunner().invoke(gallery.main, ["18"])
    assert wrong.exit_code == 2
    assert "no '18'" in wrong.output


def test_what_goes_wrong_is_told(tmp_path):
    file = tmp_path / "99_broken.py"
    file.write_text("raise ValueError('of its own')")
    with pytest.raises(gallery.click.ClickException, match="of its own"):
        gallery.lesson(file, tmp_path)


def test_a_kept_picture_is_small(tmp_path):
    wide = Image.effect_noise((2560, 200), 80)
    wide.convert("RGB").save(tmp_path / "came.png")
    keep(tmp_path / "came.png", tmp_path / "kept.png", 16)
    with Image.open(tmp_path / "kept.png") as kept:
        assert kept.size == (1280, 100)
        assert len(kept.convert("RGB").getcolors()) <= 16


def test_the_microscope_is_photographed(tmp_path):
    pytest.importorskip("playwright", reason="pages are tested where Playwright is installed")
    if not any(map(shutil.which, gallery.BROWSERS)):
        pytest.skip(f"there is no browser: none of {', '.join(gallery.BROWSERS)} is on the path")
    file = tmp_path / "microscope.png"
    gallery.microscope(file)
    with Image.open(file) as shown:
        assert shown.size == gallery.MICROSCOPE
        assert len(shown.convert("RGB").getcolors()) > 20  # a page, and no white sheet
    assert file.stat().st_size <= MOST
