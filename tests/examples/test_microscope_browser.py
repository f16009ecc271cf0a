"""The microscope in a browser: every control used, and every number compared with the engine's."""

import itertools
import random
import re
import shutil

import numpy as np
import pytest

import minigrad
from examples.microscope import export, kernels
from examples.microscope import page as pages
from googlenet.architecture import ROWS
from minigrad import functional as F
from tests.examples.browser import Page

CONVOLUTION = ("size", "stride", "padding", "dilation")
POOL = ("pool-size", "pool-stride", "pool-padding", "pool-ceil")
# Size, stride, padding, dilation; one of them does not fit.
SETTINGS = [
    (3, 1, 0, 1), (3, 1, 1, 1), (3, 2, 1, 2), (3, 3, 2, 3), (5, 1, 2, 1), (5, 2, 0, 2),
    (5, 1, 0, 3), (1, 2, 1, 1), (2, 3, 0, 3), (4, 2, 2, 2), (5, 3, 2, 3),
]  # fmt: skip
IMAGE = export.boot().values
CLOSE = {"rtol": 1e-5, "atol": 1e-5}


def convolve(weight, stride, padding, dilation, above=None):
    """Ask the engine: the output, and with a gradient from above those of image and kernel."""
    x = minigrad.tensor(IMAGE[np.newaxis, np.newaxis].copy(), requires_grad=True)
    w = minigrad.tensor(np.float32(weight)[np.newaxis, np.newaxis], requires_grad=True)
    out = F.conv2d(x, w, None, stride, padding, dilation)
    if above is None:
        return out.data[0, 0], None, None
    out.backward(minigrad.tensor(np.float32(above)[np.newaxis, np.newaxis]))
    return out.data[0, 0], x.grad.data[0, 0], w.grad.data[0, 0]


def kernel(name, size):
    return next(k.values for k in kernels.presets() if (k.name, k.size) == (name, size))


def test_it_agrees_with_the_engine_and_says_so(opened, data):
    badge = opened.screen.locator("#badge")
    assert re.fullmatch(r"✓ agrees with the engine to \d·10⁻[⁶⁷⁸]", badge.text_content())
    settings = len(data["convolutions"]) + len(data["pools"]) + len(data["inception"])
    assert badge.get_attribute("data-settings") == str(settings)
    assert not opened.screen.locator("#alarm").is_visible()


MISTAKES = {
    "stride": ("arithmetic.js", "i * g.stride - g.padding", "i - g.padding"),
    "padding": ("arithmetic.js", "const x = j * g.stride - g.padding", "const x = j * g.stride"),
    "dilation": ("arithmetic.js", "+ v * g.dilation", "+ v"),
    "col2im overwrites": ("arithmetic.js", "image[tap.pixel] += cols", "image[tap.pixel] = cols"),
    "the last of equals": ("arithmetic.js", "return { out, winners, ties };",
                           "return { out, winners: ties.map((t) => t.at(-1)), ties };"),
    "ceil mode": ("arithmetic.js", "if ((out - 1) * stride >= side + padding) out -= 1;", ""),
    "the last window alone": ("arithmetic.js", "weights[r] += gradient[l]",
                              "weights[r] = gradient[l]"),
    "costs": ("arithmetic.js", "conv(channels, reduce, 1)", "conv(channels, reduce, 3)"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_the_page_is_shown_loudly(started, data, mistake, tmp_path, monkeypatch):
    folder = shutil.copytree(pages.FOLDER, tmp_path / "page")
    file, right, wrong = MISTAKES[mistake]
    text = (folder / file).read_text()
    assert text.count(right) == 1
    (folder / file).write_text(text.replace(right, wrong))
    monkeypatch.setattr(pages, "FOLDER", folder)
    assert_alarmed(started, pages.page(data), tmp_path)


def test_other_numbers_of_the_engine_are_shown_loudly(started, data, tmp_path):
    found = data["convolutions"][100]
    changed = [*found["out"][:-1], found["out"][-1] + 1e-3]
    others = [found | {"out": changed} if c is found else c for c in data["convolutions"]]
    assert_alarmed(started, pages.page(data | {"convolutions": others}), tmp_path)


def assert_alarmed(started, html, folder):
    (folder / "wrong.html").write_text(html)
    page = Page(started, folder / "wrong.html")
    alarm = page.screen.locator("#alarm")
    assert alarm.is_visible()
    assert "This page is wrong" in alarm.text_content()
    assert "does not agree" in page.text("badge")
    assert page.screen.locator("#badge").get_attribute("data-agrees") == "false"
    page.close()


def test_a_mistake_is_said_under_what_shows_it_too(started, data, tmp_path):
    others = [found | {"ones": [0] * 144} for found in data["pools"]]
    found = data["inception"]["4c"]
    stages = data["inception"] | {"4c": found | {"multiply_adds": found["multiply_adds"] + 10**4}}
    outputs = [
        found | {"out": [-1, *found["out"][1:]]} if found["setting"] == [2, 1, 1] else found
        for found in data["convolutions"]
    ]
    wrong = {"pools": others, "inception": stages, "convolutions": outputs}
    (tmp_path / "wrong.html").write_text(pages.page(data | wrong))
    page = Page(started, tmp_path / "wrong.html")

    def said(view):
        return page.screen.locator(f"#{view}-agreement").get_attribute("data-agrees")

    assert said("convolution") == "true"
    page.choose("stride", 2)
    page.choose("padding", 1)
    assert said("convolution") == "false"
    assert "not what the engine gave: output" in page.text("convolution-agreement")
    page.screen.locator("#tab-pool").click()
    assert said("pool") == "false"
    page.screen.locator("#tab-inception").click()
    assert said("inception") == "true"
    page.choose("stage", "4c")
    assert said("inception") == "false"
    page.close()


def test_forward_and_backward_are_the_engines_in_many_settings(opened):
    """Every value of every control among the settings, chosen with the mouse."""
    drawn = random.Random(0)
    for values, wanted in zip(zip(*SETTINGS, strict=True), CONVOLUTION, strict=True):
        assert set(values) == set(export.LIMITS[wanted])
    shown = 0
    for size, *window in SETTINGS:
        for name, value in zip(CONVOLUTION, (size, *window), strict=True):
            opened.choose(name, value)
        name = drawn.choice([k.name for k in kernels.presets() if k.size == size])
        opened.screen.select_option("#preset", name)
        weight = kernel(name, size)
        if window[2] * (size - 1) + 1 > 12 + 2 * window[1]:
            assert "nothing comes out" in opened.text("unfit")
            assert not opened.screen.locator("#bench").is_visible()
            continue
        opened.choose("direction", "forward")
        out = convolve(weight, *window)[0]
        np.testing.assert_allclose(opened.values("output-grid"), out, **CLOSE)
        np.testing.assert_allclose(opened.inside("image-grid"), IMAGE, **CLOSE)
        agreement = opened.screen.locator("#convolution-agreement")
        assert agreement.get_attribute("data-agrees") == "true"
        opened.choose("direction", "backward")
        upstream = drawn.choice(["pixel", "ones", "random"])
        opened.choose("upstream", upstream)
        i, j = drawn.randrange(len(out)), drawn.randrange(len(out))
        opened.cell("output-grid", i, j).click()
        pixel = np.zeros(out.shape)
        pixel[i, j] = 1
        above = {
            "pixel": pixel, "ones": np.ones(out.shape),
            "random": export.upstream()[: len(out), : len(out)],
        }[upstream]  # fmt: skip
        np.testing.assert_array_equal(opened.values("output-grid"), above)
        _, to_image, to_kernel = convolve(weight, *window, above)
        np.testing.assert_allclose(opened.inside("image-grid"), to_image, **CLOSE)
        np.testing.assert_allclose(opened.values("kernel-gradient-grid"), to_kernel, **CLOSE)
        assert agreement.get_attribute("data-agrees") == "true"
        shown += 1
    assert shown == len(SETTINGS) - 1


def test_counts_are_those_of_col2im(opened):
    opened.choose("direction", "backward")
    opened.choose("padding", 1)
    opened.choose("cells", "count")
    ones = np.ones((3, 3), np.float32)
    counts = convolve(ones, 1, 1, 1, np.ones((12, 12)))[1]
    np.testing.assert_array_equal(opened.inside("image-grid"), counts)
    # The first windows alone: the slider by keyboard, from its beginning.
    opened.screen.locator("#scattered").focus()
    opened.press("Home", "ArrowRight", "ArrowRight")
    some = np.zeros((12, 12))
    some[0, :2] = 1
    np.testing.assert_array_equal(opened.inside("image-grid"), convolve(ones, 1, 1, 1, some)[1])
    assert opened.text("scattered-count") == "2 of 144"


def test_play_adds_window_after_window(opened):
    opened.choose("direction", "backward")
    opened.choose("stride", 3)
    opened.choose("upstream", "ones")
    whole = opened.values("image-grid")
    opened.screen.locator("#play").focus()
    opened.press("Enter")
    assert opened.text("play") == "Stop"
    assert not np.array_equal(opened.values("image-grid"), whole)
    opened.screen.locator("#play", has_text="Play").wait_for()
    assert opened.text("scattered-count") == "16 of 16"
    np.testing.assert_array_equal(opened.values("image-grid"), whole)


@pytest.mark.parametrize("touch", [False, True])
def test_pointing_at_an_output_pixel_shows_where_it_comes_from(started, path, touch):
    page = Page(started, path, has_touch=touch)
    for name, value in zip(CONVOLUTION, (3, 3, 2, 3), strict=True):
        page.choose(name, value)
    at = page.cell("output-grid", 2, 3)
    at.tap() if touch else at.hover()
    # Stride 3, padding 2, dilation 3: rows 4, 7, 10 and columns 7, 10, 13, the last in the padding.
    met = [(y + 2) * 16 + x + 2 for y in (4, 7, 10) for x in (7, 10, 13)]
    assert page.marked("image-grid", "met") == met
    assert page.selected("output-grid") == (2, 3)
    first = page.cell("image-grid", 6, 9).bounding_box()
    last = page.cell("image-grid", 12, 15).bounding_box()
    page.screen.wait_for_timeout(200)  # it slides there
    frame = page.screen.locator("#image-grid .frame").bounding_box()
    assert frame["x"] == pytest.approx(first["x"], abs=2)
    assert frame["y"] == pytest.approx(first["y"], abs=2)
    assert frame["x"] + frame["width"] == pytest.approx(last["x"] + last["width"], abs=2)
    assert frame["y"] + frame["height"] == pytest.approx(last["y"] + last["height"], abs=2)
    out = convolve(kernel(export.START, 3), 3, 2, 3)[0]
    products = page.screen.locator(".term").evaluate_all("t => t.map(e => +e.dataset.product)")
    assert len(products) == 9
    assert sum(products) == pytest.approx(out[2, 3], abs=1e-5)
    assert page.screen.locator(".term", has_text="padding").count() == 3
    total = page.screen.locator("#sum-total").get_attribute("data-value")
    assert float(total) == pytest.approx(out[2, 3], abs=1e-5)
    column = page.screen.locator("#columns-matrix canvas")
    assert column.get_attribute("aria-valuenow") == "11"
    assert "window of output (2, 3)" in column.get_attribute("aria-valuetext")
    page.close()


def test_pointing_at_pixels_and_kernel_numbers(opened):
    opened.choose("direction", "backward")
    opened.choose("upstream", "random")
    opened.cell("image-grid", 5, 6).hover()
    above = export.upstream()[:10, :10]
    _, to_image, to_kernel = convolve(kernel(export.START, 3), 1, 0, 1, above)
    total = opened.screen.locator("#sum-total")
    assert float(total.get_attribute("data-value")) == pytest.approx(to_image[5, 6], abs=1e-5)
    seen = [i * 10 + j for i in (3, 4, 5) for j in (4, 5, 6)]
    assert opened.marked("output-grid", "met") == seen
    opened.cell("kernel-gradient-grid", 2, 1).hover()
    assert float(total.get_attribute("data-value")) == pytest.approx(to_kernel[2, 1], rel=1e-5)
    assert len(opened.marked("image-grid", "met")) == 100
    # With so few windows all terms are written out.
    opened.choose("stride", 3)
    above = export.upstream()[:4, :4]
    _, to_image, to_kernel = convolve(kernel(export.START, 3), 3, 0, 1, above)
    products = "all => all.map(e => +e.dataset.product)"
    for grid, row, column, wanted in (
        ("kernel-gradient-grid", 2, 1, to_kernel[2, 1]),
        ("image-grid", 5, 6, to_image[5, 6]),
    ):
        opened.cell(grid, row, column).hover()
        terms = opened.screen.locator(".term").evaluate_all(products)
        assert sum(terms) == pytest.approx(wanted, rel=1e-5)
        assert float(total.get_attribute("data-value")) == pytest.approx(wanted, rel=1e-5)
    opened.choose("direction", "forward")
    opened.screen.locator("#kernel-grid input").nth(4).focus()
    assert "row 4 of the columns" in opened.text("sum-total")


def test_the_column_matrix_is_gone_through_by_mouse_and_keyboard(opened):
    canvas = opened.screen.locator("#columns-matrix canvas")
    box = canvas.bounding_box()
    canvas.hover(position={"x": box["width"] * 42.5 / 100, "y": 20})
    assert opened.selected("output-grid") == (4, 2)
    canvas.focus()
    for key, column in (
        ("ArrowRight", 43), ("ArrowLeft", 42), ("PageUp", 52), ("PageDown", 42), ("End", 99),
        ("ArrowRight", 99), ("Home", 0),
    ):  # fmt: skip
        opened.press(key)
        assert canvas.get_attribute("aria-valuenow") == str(column)
        assert opened.selected("output-grid") == divmod(column, 10)


def test_the_matrix_is_painted_as_the_columns_are(opened):
    """The brightness of the canvas, cell by cell, is im2col."""
    x = minigrad.tensor(IMAGE[np.newaxis, np.newaxis].copy())
    cols = F.im2col(x, 3).data[0]
    grey = opened.screen.locator("#columns-matrix canvas").evaluate("""canvas => {
        const {width, height} = canvas, found = [], ratio = width / canvas.clientWidth;
        const {data} = canvas.getContext("2d").getImageData(0, 0, width, height);
        for (let r = 0; r < 9; r++) for (let l = 0; l < 100; l++) {
            const x = Math.floor((l + 0.5) * width / 100), y = Math.floor((r + 0.5) * 15 * ratio);
            found.push(data[4 * (y * width + x) + 1]);
        }
        return found;
    }""")
    wanted = 0x17 + cols.ravel() * (0xF4 - 0x17)
    away = np.abs(np.array(grey) - wanted).reshape(9, 100)
    away = np.delete(away, range(32, 35), axis=1)  # where the followed column is framed
    assert away.max() < 2


def test_the_kernel_can_be_edited(opened):
    first = opened.screen.locator("#kernel-grid input").first
    first.fill("2.5")
    weight = kernel(export.START, 3).copy()
    weight[0, 0] = 2.5
    np.testing.assert_allclose(opened.values("output-grid"), convolve(weight, 1, 0, 1)[0], **CLOSE)
    assert opened.screen.locator("#preset").input_value() == ""
    assert "is yours" in opened.text("convolution-agreement")
    for wrong in ("", "x", "1e9", "--1", "NaN"):
        first.fill(wrong)
        assert first.get_attribute("aria-invalid") == "true", wrong
        assert "A number from −1000 to 1000" in opened.text("kernel-error")
        np.testing.assert_allclose(
            opened.values("output-grid"), convolve(weight, 1, 0, 1)[0], **CLOSE
        )
    opened.press("Tab")
    assert first.input_value() == "2.5"
    assert opened.text("kernel-error") == ""
    first.fill("−1")  # with a minus sign as it is printed
    assert opened.screen.locator("#preset").input_value() == export.START
    agreement = opened.screen.locator("#convolution-agreement")
    assert agreement.get_attribute("data-agrees") == "true"


def test_max_pooling_is_the_engines_in_every_setting(opened):
    opened.screen.locator("#tab-pool").click()
    opened.choose("pool-upstream", "random")
    opened.choose("pool-cells", "gradient")
    before = [None] * 4
    for setting in itertools.product(*export.POOL_LIMITS.values()):
        size, stride, padding, ceil_mode = setting
        for name, value, old in zip(POOL, setting, before, strict=True):
            if value != old:
                opened.choose(name, str(value).lower())
        before = setting
        x = minigrad.tensor(IMAGE[np.newaxis, np.newaxis].copy(), requires_grad=True)
        out = F.max_pool2d(x, size, stride, padding, ceil_mode=ceil_mode)
        np.testing.assert_allclose(opened.values("pool-output-grid"), out.data[0, 0], **CLOSE)
        above = export.upstream()[: out.shape[2], : out.shape[3]]
        out.backward(minigrad.tensor(above[np.newaxis, np.newaxis].copy()))
        np.testing.assert_allclose(opened.inside("pool-image-grid"), x.grad.data[0, 0], **CLOSE)
        agreement = opened.screen.locator("#pool-agreement")
        assert agreement.get_attribute("data-agrees") == "true"


def test_ties_go_to_the_first(opened, data):
    opened.screen.locator("#tab-pool").click()
    for name, value in zip(POOL, (3, 3, 0, "false"), strict=True):
        opened.choose(name, value)
    opened.cell("pool-output-grid", 1, 2).hover()
    found = next(p for p in data["pools"] if p["setting"] == [3, 3, 0, False])
    winner = found["winners"][1 * 4 + 2]
    assert opened.marked("pool-image-grid", "winner") == [winner]
    window = [y * 12 + x for y in (3, 4, 5) for x in (6, 7, 8)]
    equal = [p for p in window if IMAGE.flat[p] == IMAGE[3:6, 6:9].max()]
    assert winner == equal[0]
    assert len(equal) > 1
    assert opened.marked("pool-image-grid", "tie") == equal[1:]
    assert f"{len(equal)} pixels are as large; the first" in opened.text("pool-sum-backward")
    opened.choose("pool-cells", "wins")
    wins = np.bincount(found["winners"], minlength=144).reshape(12, 12)
    np.testing.assert_array_equal(opened.inside("pool-image-grid"), wins)
    opened.choose("pool-upstream", "pixel")
    opened.choose("pool-cells", "gradient")
    assert np.flatnonzero(opened.inside("pool-image-grid")).tolist() == [winner]
    opened.cell("pool-image-grid", *divmod(winner, 12)).hover()
    assert "wins 1 window" in opened.text("pool-sum-head")
    assert opened.marked("pool-output-grid", "met") == [6]


def test_inception_costs_are_the_summarys(opened, data):
    opened.screen.locator("#tab-inception").click()

    def costs():
        return opened.screen.locator("#costs .count").evaluate_all(
            "c => c.map(e => +e.dataset.value)"
        )

    for name, found in data["inception"].items():
        opened.choose("stage", name)
        three, five = (found["reductions"][f"conv_{k}x{k}"] for k in (3, 5))
        for at, row in ((1, three), (3, five)):
            assert costs()[at : at + 2] == [row["direct"], row["reduction"] + row["convolution"]]
        total = opened.screen.locator("#cost-total")
        assert int(total.get_attribute("data-value")) == found["multiply_adds"]
        assert f"The paper prints {found['printed']}." in total.text_content()
        agreement = opened.screen.locator("#inception-agreement")
        assert agreement.get_attribute("data-agrees") == "true"
    assert opened.screen.locator("#branches input").evaluate_all("i => i.map(e => +e.value)") == [
        *ROWS["5b"][1:]
    ]
    field = opened.screen.locator("#width-conv_3x3_reduce")
    field.fill("10")
    assert costs()[2] == 7 * 7 * (832 * 10 + 10 * 384 * 9)
    assert agreement.get_attribute("data-agrees") == "unknown"
    for wrong in ("0", "", "1.5", "4096"):
        field.fill(wrong)
        assert field.get_attribute("aria-invalid") == "true"
        assert "whole number from 1 to 2048" in opened.text("width-error")
        assert costs()[2] == 7 * 7 * (832 * 10 + 10 * 384 * 9)
    opened.screen.locator("#restore").click()
    assert field.input_value() == "192"
    assert opened.text("width-error") == ""
    assert agreement.get_attribute("data-agrees") == "true"
