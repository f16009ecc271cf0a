"""The microscope without a browser: what is in the page, and that the numbers are the engine's."""

import base64
import doctest
import hashlib
import json
import re
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import minigrad
from examples.microscope import __main__ as command
from examples.microscope import export, kernels
from examples.microscope import page as pages
from googlenet import summary
from googlenet.architecture import ROWS
from googlenet.model import GoogLeNet
from minigrad import functional as F

MOST = 400_000  # bytes


def between(html, start, end):
    return re.search(re.escape(start) + "(.*?)" + re.escape(end), html, re.DOTALL)[1]


def test_nothing_is_fetched_from_anywhere(html):
    assert re.findall(r"\w+://[^\s\"')]+", html) == []
    assert re.findall(r"(?:src|srcset|action|data|poster)=[\"']", html) == []
    assert set(re.findall(r"href=\"([^\"]*)\"", html)) == {"#main", "data:,"}
    for word in ("@import", "url(", "fetch(", "XMLHttpRequest", "WebSocket", "import("):
        assert word not in html, word
    for word in ("eval(", "new Function", "innerHTML", "outerHTML", "document.write"):
        assert word not in html, word
    assert not re.findall(r"<[^>]* (?:style|on\w+)=", html.split("<script>")[0])


def test_its_policy_names_the_one_script_and_the_one_style(html):
    policy = between(html, 'Content-Security-Policy" content="', '"')
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for name, start, end in (
        ("script-src", "<script>", "</script>"),
        ("style-src", "<style>", "</style>"),
    ):
        digest = hashlib.sha256(between(html, start, end).encode()).digest()
        assert f"{name} 'sha256-{base64.b64encode(digest).decode()}';" in policy


def test_every_place_is_filled(html):
    assert "{{" not in re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL)
    assert html.count("<script") == html.count("</script>") == 2


def test_it_is_small(html):
    assert 50_000 < len(html.encode()) < MOST


def test_it_is_small_with_the_longest_numbers_too():
    own = kernels.own(" ".join(f"{n / 7:.4f}" for n in range(25)))
    noise = np.random.default_rng(0).random((12, 12)).round(1).astype(np.float32)
    shown = export.everything(export.Picture("noise", "drawn", noise), own) | {"start": "own"}
    assert len(pages.page(shown).encode()) < MOST


def test_its_numbers_can_be_read_as_json(data, html):
    text = between(html, '<script type="application/json" id="data">', "</script>")
    assert json.loads(text) == json.loads(json.dumps(data))


def test_a_name_cannot_break_out_of_where_it_stands(data):
    nasty = "</script><script>alert(1)</script><!--{{data}}&amp;\u2028"
    html = pages.page(data | {"image": data["image"] | {"title": nasty, "source": nasty}})
    assert html.count("<script") == html.count("</script>") == 2
    assert html.count("<!--") == 0
    text = between(html, 'id="data">', "</script>")
    assert json.loads(text)["image"]["title"] == nasty
    assert "&lt;/script&gt;&lt;script&gt;alert(1)" in between(html, "<footer>", "</footer>")


def test_it_holds_every_setting_once(data):
    settings = [(found["kernel"], *found["setting"]) for found in data["convolutions"]]
    assert len(set(settings)) == len(settings)
    larger = sum(kernel["size"] > 1 for kernel in data["kernels"])
    assert len(settings) == 27 * larger + 9
    assert len(data["pools"]) == 24


def test_convolutions_are_those_of_the_definition(data):
    """Of every seventh setting, by another rung: the plain loops."""
    x = minigrad.tensor(np.float64(data["image"]["values"]).reshape(1, 1, 12, 12))
    x.requires_grad = True
    drawn = np.reshape(data["upstream"]["values"], (16, 16))
    seen = {"out": 0, "pixel": 0, "ones": 0, "random": 0, "error": 0}
    for found in data["convolutions"][::7]:
        kernel = data["kernels"][found["kernel"]]
        size, (stride, padding, dilation) = kernel["size"], found["setting"]
        reach = dilation * (size - 1) + 1
        assert ("error" in found) == (reach > 12 + 2 * padding)
        if "error" in found:
            assert f"the window covers {reach}×{reach}" in found["error"]
            seen["error"] += 1
            continue
        weight = minigrad.tensor(np.float64(kernel["values"]).reshape(1, 1, size, size))
        weight.requires_grad = True
        with minigrad.kernels("naive"):
            out = F.conv2d(x, weight, None, stride, padding, dilation)
            assert out.shape[2:] == found["shape"]
            np.testing.assert_allclose(out.data.ravel(), found["out"], atol=2e-5)
            seen["out"] += 1
            oh, ow = found["shape"]
            pixel = np.zeros((oh, ow))
            pixel[oh // 2, ow // 2] = 1
            above = {"pixel": pixel, "ones": np.ones((oh, ow)), "random": drawn[:oh, :ow]}
            for name in above.keys() & found.keys():
                x.grad = weight.grad = None
                again = F.conv2d(x, weight, None, stride, padding, dilation)
                again.backward(minigrad.tensor(above[name][np.newaxis, np.newaxis].copy()))
                for tensor, which in ((x, "image"), (weight, "kernel")):
                    np.testing.assert_allclose(
                        tensor.grad.data.ravel(), found[name][which], rtol=1e-5, atol=2e-5
                    )
                seen[name] += 1
    assert min(seen.values()) >= 1, seen


def test_winners_are_the_first_of_the_largest(data):
    image = np.reshape(data["image"]["values"], (12, 12))
    ties = 0
    for found in data["pools"]:
        size, stride, padding, _ = found["setting"]
        for l, (i, j) in enumerate(np.ndindex(*found["shape"])):
            window = [
                (image[y, x], y * 12 + x)
                for y in range(i * stride - padding, i * stride - padding + size)
                for x in range(j * stride - padding, j * stride - padding + size)
                if 0 <= y < 12 and 0 <= x < 12
            ]
            largest = max(value for value, _ in window)
            equal = [pixel for value, pixel in window if value == largest]
            assert found["out"][l] == pytest.approx(largest, abs=1e-6)
            assert found["winners"][l] == equal[0]
            ties += len(equal) > 1
        won = np.bincount(found["winners"], minlength=144)
        assert found["ones"] == won.tolist()
    assert ties > 100


def test_inception_is_counted_as_the_summary_does(data):
    assert list(data["inception"]) == list(ROWS)
    net = GoogLeNet()
    counted = {row.name: row.multiply_adds for row in summary.rows(net)[0]}
    for name, found in data["inception"].items():
        assert list(found["widths"].values()) == list(ROWS[name][1:])
        assert found["multiply_adds"] == counted[f"inception_{name}"]
        pixels, widths = found["size"] ** 2, found["widths"]
        for k in (3, 5):
            reduction = found["channels"] * widths[f"conv_{k}x{k}_reduce"] * pixels
            assert found["reductions"][f"conv_{k}x{k}"]["reduction"] == reduction
    saved = {
        f"inception_{name}.{conv}": (row["direct"], row["reduction"], row["convolution"])
        for name, found in data["inception"].items()
        for conv, row in found["reductions"].items()
    }
    assert saved == {
        r.name: (r.direct, r.reduction, r.convolution) for r in summary.reductions(net)
    }


def test_sobel_is_sobels(data):
    found = {(k["name"], k["size"]): k["values"] for k in data["kernels"]}
    assert found["edges-vertical", 3] == [-1, 0, 1, -2, 0, 2, -1, 0, 1]
    assert found["edges-horizontal", 3] == [-1, -2, -1, 0, 0, 0, 1, 2, 1]
    assert found["sharpen", 3] == [0, -1, 0, -1, 5, -1, 0, -1, 0]
    for (name, _), values in found.items():
        wanted = 0 if name.startswith("edges") else 1
        assert sum(values) == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize("module", [export, kernels])
def test_examples_in_docstrings(module):
    results = doctest.testmod(module)
    assert results.attempted
    assert not results.failed


def test_the_command_writes_the_page(tmp_path):
    path = tmp_path / "page.html"
    done = subprocess.run(
        [sys.executable, "-m", "examples.microscope", "--output", path],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    assert re.fullmatch(r".*page\.html: \d+ kB\. Open it in a browser\.\n", done.stdout)
    assert path.read_text().startswith("<!doctype html>")


def test_a_picture_of_ones_own(tmp_path):
    values = np.zeros((60, 100, 3), np.uint8)
    values[:, 50:] = 255  # the middle square is black at the left, white at the right
    Image.fromarray(values).save(tmp_path / "half.png")
    image = export.picture(tmp_path / "half.png")
    assert image.values.shape == (12, 12)
    assert image.values[:, :5].max() == 0
    assert image.values[:, 7:].min() == 1


def test_a_kernel_of_ones_own_comes_with_its_gradients(data):
    shown = export.everything(export.boot(), kernels.own("0,1,-1,0"))
    assert [k["name"] for k in shown["kernels"]].count("own") == 1
    found = [c for c in shown["convolutions"] if c["kernel"] == len(data["kernels"])]
    assert len(found) == 27
    assert all("random" in c for c in found)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--kernel", "blurr"], "the kernel must be identity, blur, edges-vertical"),
        (["--kernel", "1 2 3"], "a kernel must have 1, 4, 9, 16, 25 numbers, row by row; got 3"),
        (["--kernel", "nan"], "from −1000 to 1000"),
        (["--kernel", "1e9"], "from −1000 to 1000"),
        (["--kernel", ""], "got 0"),
        (["--image", "no-such.png"], "no-such.png"),
        (["--image", "."], "is not a file"),
    ],
)
def test_mistakes_are_told_in_one_sentence(tmp_path, arguments, said):
    path = tmp_path / "page.html"
    done = CliRunner().invoke(command.main, ["--output", str(path), *arguments])
    assert done.exit_code == 2
    assert said in done.output
    assert len(done.output.splitlines()) == 1
    assert not path.exists()


def test_a_folder_that_is_not_there_is_a_failure(tmp_path):
    done = CliRunner().invoke(command.main, ["--output", str(tmp_path / "no" / "page.html")])
    assert done.exit_code == 1
    assert len(done.output.splitlines()) == 1
