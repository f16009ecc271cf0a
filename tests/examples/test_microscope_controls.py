"""The microscope in a browser: by keyboard alone, on a phone, in the dark, and as it looks."""

import itertools

import numpy as np
import pytest

from examples.microscope import export, kernels
from examples.microscope import page as pages
from tests.examples.browser import Page

VIEWS = ("convolution", "pool", "inception")
# In the order of Tab, in each view; backward has them all.
OPTIONS = {
    "convolution": ["direction", "size", "stride", "padding", "dilation", "upstream", "cells"],
    "pool": ["pool-size", "pool-stride", "pool-padding", "pool-ceil", "pool-upstream",
             "pool-cells"],
    "inception": ["stage"],
}  # fmt: skip
ENTER_VIEW = {"convolution": [], "pool": ["ArrowRight"], "inception": ["End"]}


def enter(page, view):
    """Go to a view by keyboard: to the tabs, and along them."""
    page.screen.locator("[role=tab][aria-selected=true]").focus()
    page.press("Home", *ENTER_VIEW[view])
    assert page.focused("e.id") == f"tab-{view}"
    assert page.screen.locator(f"#view-{view}").is_visible()


def walk(page):
    """Press Tab until the page ends; yield what has the focus."""
    for _ in range(80):
        page.press("Tab")
        if page.focused("e === document.body || e.className === 'skip'"):
            return
        yield page.focused("""({
            id: e.id, name: e.name || "", type: e.type || "", role: e.getAttribute("role") || "",
            tag: e.tagName, host: e.closest("[id]").id, value: e.value,
        })""")
    raise AssertionError("Tab leads around for ever")


@pytest.mark.parametrize("view", VIEWS)
def test_tab_leads_to_every_control_once(opened, view):
    if view == "convolution":
        opened.choose("direction", "backward")
    enter(opened, view)
    found = list(walk(opened))
    options = [f["name"] for f in found if f["type"] == "radio"]
    assert options == OPTIONS[view]
    grids = [f["host"] for f in found if f["role"] == "gridcell"]
    if view == "convolution":
        assert grids == ["image-grid", "kernel-gradient-grid", "output-grid"]
        assert sum(f["host"] == "kernel-grid" for f in found) == 9
        assert {"preset", "scattered", "play"} <= {f["id"] for f in found}
        assert [f["host"] for f in found if f["role"] == "slider"] == [
            "columns-matrix", "gradient-matrix",
        ]  # fmt: skip
    elif view == "pool":
        assert grids == ["pool-image-grid", "pool-output-grid"]
    else:
        assert len([f for f in found if f["type"] == "number"]) == 6
        assert "restore" in {f["id"] for f in found}


@pytest.mark.parametrize("view", VIEWS)
def test_the_focus_can_be_seen_everywhere(opened, view):
    opened.choose("direction", "backward")
    enter(opened, view)
    for at in walk(opened):
        drawn = opened.focused("""(() => {
            const shown = e.type === "radio" ? e.nextElementSibling : e;
            const s = getComputedStyle(shown);
            return s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2;
        })()""")
        assert drawn, at


@pytest.mark.parametrize("view", VIEWS)
def test_every_choice_is_made_by_arrow_keys(opened, view):
    opened.choose("direction", "backward")
    enter(opened, view)
    for option in OPTIONS[view]:
        radios = opened.screen.locator(f"input[name='{option}']")
        opened.screen.locator(f"input[name='{option}']:checked").focus()
        chosen = []
        for _ in range(radios.count()):
            opened.press("ArrowRight")
            chosen.append(opened.focused("e.checked && e.value"))
        values = radios.evaluate_all("all => all.map(e => e.value)")
        assert sorted(chosen) == sorted(values), option
    agreement = opened.screen.locator(f"#{view}-agreement")
    assert agreement.get_attribute("data-agrees") != "false"


def test_the_kernel_is_chosen_and_edited_by_keyboard(opened):
    opened.screen.locator("#preset").focus()
    before = opened.values("output-grid")
    opened.press("Home")  # identity
    assert opened.screen.locator("#preset").input_value() == "identity"
    assert "copies the pixel" in opened.text("preset-says").lower()
    assert (opened.values("output-grid") == opened.values("image-grid")[1:-1, 1:-1]).all()
    opened.screen.locator("#kernel-grid input").nth(4).focus()
    opened.press("Control+a", "2")
    doubled = opened.values("output-grid")
    assert (doubled == 2 * opened.values("image-grid")[1:-1, 1:-1]).all()
    assert (doubled != before).any()


def test_grids_are_gone_through_by_arrow_keys(opened):
    opened.choose("padding", 1)
    cell = opened.screen.locator("#output-grid [tabindex='0']")
    assert cell.count() == 1
    cell.focus()
    opened.press("Home", "ArrowUp", *["ArrowUp"] * 12)
    assert opened.selected("output-grid") == (0, 0)
    for key, at in (
        ("ArrowUp", (0, 0)), ("ArrowLeft", (0, 0)), ("ArrowRight", (0, 1)), ("ArrowDown", (1, 1)),
        ("End", (1, 11)), ("ArrowRight", (1, 11)), ("Home", (1, 0)),
    ):  # fmt: skip
        opened.press(key)
        assert opened.selected("output-grid") == at, key
        assert f"Output ({at[0]}, {at[1]})" in opened.text("sum-head")
    # In the image the padding is not gone into.
    opened.screen.locator("#image-grid [tabindex='0']").focus()
    opened.press("Home", *["ArrowUp"] * 14)
    assert opened.selected("image-grid") == (1, 1)
    assert "Pixel (0, 0)" in opened.text("sum-head")
    opened.press("End")
    assert opened.selected("image-grid") == (1, 12)


def test_everything_is_explained(opened):
    """Each control has a name, and a line of text that is tied to it and is there to be read."""
    missing = """() => {
        const controls = "input, select, button, canvas, [role=grid]";
        const seen = (e) => e.textContent.trim()
            && (e.checkVisibility() || e.closest("[role=tabpanel]").hidden);
        return [...document.querySelectorAll(controls)].filter((e) => e.checkVisibility())
            .map((e) => {
                const group = e.type === "radio" ? e.closest("fieldset") : e;
                const ids = (group.getAttribute("aria-describedby") ?? "").split(" ");
                const said = ids.map((id) => document.getElementById(id)).filter(Boolean);
                const named = e.getAttribute("aria-label") || e.labels?.[0]?.textContent.trim()
                    || e.textContent.trim();
                const legend = e.type !== "radio" || group.querySelector("legend").textContent;
                return [e.id || e.name || e.tagName, named && legend && said.some(seen)];
            }).filter(([, right]) => !right).map(([what]) => what);
    }"""
    opened.choose("direction", "backward")
    for view in VIEWS:
        enter(opened, view)
        assert opened.screen.evaluate(missing) == [], view


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_on_a_phone_nothing_hangs_over(started, path, direction):
    page = Page(started, path, width=360, height=740)
    page.choose("direction", direction)
    page.choose("padding", 2)
    for size, what in itertools.product((5, 1, 3), ("output", "image")):
        page.choose("size", size)
        page.cell(f"{what}-grid", 5, 5).click()
        assert page.overflow() <= 0
    page.choose("dilation", 3)
    page.choose("stride", 3)
    assert page.overflow() <= 0
    for view in VIEWS[1:]:
        enter(page, view)
        assert page.overflow() <= 0
    page.screen.locator("#width-conv_3x3").fill("2048")
    page.screen.locator("#width-conv_5x5").fill("1")
    assert page.overflow() <= 0
    page.close()


def test_cells_are_large_enough_for_their_numbers(started, path):
    page = Page(started, path, width=360, height=740)
    page.choose("padding", 2)
    page.choose("size", 5)  # sums of two digits, in 16 columns
    clipped = page.screen.locator("#image-grid [role=gridcell], #output-grid [role=gridcell]")
    assert (
        clipped.evaluate_all("""all => all.filter(c => {
        const range = document.createRange();
        range.selectNodeContents(c);
        return range.getBoundingClientRect().width > c.getBoundingClientRect().width;
    }).length""")
        == 0
    )
    page.close()


def brightness(page):
    found = page.screen.evaluate("getComputedStyle(document.body).backgroundColor")
    return sum(int(n) for n in found.strip("rgb()").split(",")[:3]) / 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_theme_follows_the_system_until_told(started, path, scheme):
    page = Page(started, path, color_scheme=scheme)
    light = scheme == "light"
    pixel = "document.querySelector('#columns-matrix canvas').toDataURL()"
    first = page.screen.evaluate(pixel)
    assert (brightness(page) > 128) == light
    page.choose("theme", "dark" if light else "light")
    assert (brightness(page) > 128) != light
    assert page.screen.evaluate(pixel) != first  # what is painted follows
    page.choose("theme", "auto")
    assert (brightness(page) > 128) == light
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_numbers_can_be_read_on_their_colours(started, path, scheme):
    """Contrast of 4.5 to 1, or 3 to 1 for the numbers of the padding, of every cell."""
    page = Page(started, path, color_scheme=scheme)
    page.choose("padding", 1)
    page.choose("direction", "backward")
    page.choose("upstream", "random")
    contrasts = """() => {
        const probe = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
        const light = (colour) => {
            probe.fillStyle = colour;
            probe.fillRect(0, 0, 1, 1);
            const [r, g, b] = [...probe.getImageData(0, 0, 1, 1).data].slice(0, 3).map((c) => {
                const s = c / 255;
                return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4;
            });
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        return [...document.querySelectorAll("[role=gridcell]")]
            .filter((c) => c.checkVisibility() && c.dataset.padding === "false")
            .map((c) => {
                const style = getComputedStyle(c);
                const [a, b] = [light(style.color), light(style.backgroundColor)];
                return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
            });
    }"""
    assert min(page.screen.evaluate(contrasts)) >= 4.5
    page.choose("cells", "count")
    assert min(page.screen.evaluate(contrasts)) >= 4.5
    page.choose("direction", "forward")
    assert min(page.screen.evaluate(contrasts)) >= 4
    page.close()


def test_a_kernel_and_a_picture_of_ones_own_are_what_it_opens_with(started, tmp_path):
    noise = np.random.default_rng(1).random((12, 12)).round(1).astype(np.float32)
    shown = export.Picture("<b>noise</b>", "drawn", noise)
    data = export.everything(shown, kernels.own("0 1 -1 0.5")) | {"start": "own"}
    (tmp_path / "own.html").write_text(pages.page(data))
    page = Page(started, tmp_path / "own.html")
    assert page.screen.locator("#badge").get_attribute("data-agrees") == "true"
    assert page.screen.locator("#preset").input_value() == "own"
    assert page.screen.locator("input[name=size]:checked").input_value() == "2"
    wanted = noise[:-1, 1:] - noise[1:, :-1] + noise[1:, 1:] / 2
    np.testing.assert_allclose(page.values("output-grid"), wanted, atol=1e-6)
    assert "<b>noise</b> (drawn)" in page.screen.locator("footer").text_content()
    page.choose("size", 3)  # in which it does not come
    assert page.screen.locator("#convolution-agreement").get_attribute("data-agrees") == "true"
    page.close()


def test_who_wants_no_motion_gets_none(started, path):
    page = Page(started, path, reduced_motion="reduce")
    frame = page.screen.locator("#image-grid .frame")
    assert frame.evaluate("e => getComputedStyle(e).transitionDuration") in ("0s", "0s, 0s, 0s, 0s")
    page.choose("direction", "backward")
    assert page.screen.locator("#play").is_disabled()
    assert "less motion" in page.text("play-says")
    page.close()


def test_nothing_can_be_run_that_was_not_in_it(opened):
    """The policy refuses text as code, even from within."""
    refused = opened.screen.evaluate("""() => {
        const script = document.createElement("script");
        script.textContent = "document.title = 'run'";
        document.body.append(script);
        script.remove();
        return document.title;
    }""")
    assert refused == "The convolution microscope"
    assert len(opened.wrong) == 1
    assert "Content Security Policy" in opened.wrong.pop()


@pytest.mark.parametrize(
    ("name", "width", "scheme"), [("light", 1280, "light"), ("dark", 1280, "dark"),
                                  ("narrow", 360, "dark")],
)  # fmt: skip
def test_how_it_looks(started, path, tmp_path, name, width, scheme):
    page = Page(started, path, width=width, color_scheme=scheme, device_scale_factor=2)
    kept = [page.keep(name, tmp_path)]
    page.choose("padding", 1)
    page.choose("direction", "backward")
    page.choose("upstream", "random")
    page.cell("image-grid", 5, 7).click()
    kept.append(page.keep(f"{name}-backward", tmp_path))
    for view in VIEWS[1:]:
        enter(page, view)
        kept.append(page.keep(f"{name}-{view}", tmp_path))
    assert all(picture.stat().st_size > 20_000 for picture in kept)
    page.close()
