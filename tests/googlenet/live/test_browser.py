"""The page in a real browser: what it shows is the story, while it goes on and as a report."""

import json

import pytest

from googlenet.live import Live, Server
from googlenet.run_folder import REPORT
from googlenet.vitals import Recorder
from minigrad.data import ArrayDataset
from tests.examples.browser import Page, browser
from tests.googlenet import test_vitals
from tests.googlenet.live.test_story import FACTS, Every, in_report, module
from tests.googlenet.test_vitals import pictures, silent, training
from tests.googlenet.tiny import narrow_networks

often = test_vitals.often
LONG = "a/very/long/path/" + 40 * "without_a_place_to_break_it"
HOSTILE = "</script><img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def started():
    with browser() as running:
        yield running


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run with its report, and two warnings; one of its classes is called something hostile."""
    path = tmp_path_factory.mktemp("run")
    with narrow_networks(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(test_vitals.module, "BUDGET", test_vitals.module.COST)
        patch.setattr(module, "Points", Every)
        data = pictures()
        run = training(ArrayDataset(data.images, data.labels, ("a", HOSTILE, "c")))
        recorder = Recorder(path, run, silent)
        with Live(run, Server(), FACTS, path, silent, recorder) as live:
            run.run(recorder, live)
            live.note("stuck", "The main head is stuck.")
            live.note("long", LONG)
            live.note("other", HOSTILE)
            live.end("finished")
    return path


@pytest.fixture
def report(started, folder):
    page = Page(started, folder / REPORT)
    yield page
    page.close()


@pytest.fixture
def story(folder):
    return in_report(folder)["story"]


def key(page, chart):
    """Return what the key below a chart says: a number for each name."""
    found = page.screen.locator(f"#{chart} .key span").evaluate_all(
        "all => all.map(s => [s.firstChild.textContent.trim(), s.querySelector('b').textContent])"
    )
    return {name: float(value) for name, value in found}


def until(page, holds, tries=200):
    """Wait for something. (Playwright's own waiting evaluates, which the page's policy forbids.)"""
    for _ in range(tries):
        if holds():
            return
        page.screen.wait_for_timeout(50)
    raise AssertionError(f"still not so: {page.text('state')}, {page.text('progress')}")


def test_the_head_of_the_page(report, story):
    assert report.text("headline") == "a training"
    assert report.text("state") == "finished"
    assert report.text("progress").startswith("epoch 3 of 3 · step 15 of 15 · 0:")
    last = story["rows"][-1]
    assert float(report.text("accuracy")) == pytest.approx(last["test_accuracy"], abs=6e-4)
    assert float(report.text("loss")) == pytest.approx(story["curve"][-1]["loss_logits"], rel=5e-3)
    assert report.screen.title() == f"100 % · {last['test_accuracy']:.3f} · runs/one"
    assert report.screen.locator("#bar").get_attribute("aria-valuenow") == "100"


def test_the_keys_show_the_last_of_each_curve(report, story):
    last, row = story["curve"][-1], story["rows"][-1]
    assert key(report, "losses") == pytest.approx(
        {"main": last["loss_logits"], "4a": last["loss_aux_4a"], "4d": last["loss_aux_4d"],
         "test": row["test_loss"]}, rel=5e-3,
    )  # fmt: skip
    assert key(report, "accuracies") == pytest.approx(
        {"training": last["train_accuracy"], "test": row["test_accuracy"]}, rel=5e-3
    )


def test_the_cursor_reads_any_point(report, story):
    drawing = report.screen.locator("#losses .drawing")
    drawing.focus()
    report.press("Home")
    assert report.screen.locator("#losses .reading").text_content() == "step 1"
    assert key(report, "losses")["main"] == pytest.approx(
        story["curve"][0]["loss_logits"], rel=5e-3
    )
    report.press("ArrowRight", "ArrowRight", "ArrowRight", "ArrowLeft")
    assert report.screen.locator("#losses .reading").text_content() == "step 3"
    assert key(report, "losses")["4a"] == pytest.approx(story["curve"][2]["loss_aux_4a"], rel=5e-3)
    assert report.screen.locator("#losses .cursor").count() == 1
    report.press("Escape")
    assert report.screen.locator("#losses .cursor").count() == 0
    box = drawing.bounding_box()
    report.screen.mouse.move(box["x"] + box["width"] - 12, box["y"] + 50)
    assert report.screen.locator("#losses .reading").text_content() == "step 15"
    assert "main" in drawing.get_attribute("aria-label")


def test_curves_stand_where_their_numbers_are(report, story):
    """The first curve's heights, back through the axis's own ticks."""
    found = report.screen.evaluate(
        """() => {
          const svg = document.querySelector('#losses .drawing');
          const all = (what) => [...svg.querySelectorAll(what)];
          const ticks = all('line.axis').map((l) => Number(l.getAttribute('y1')));
          const texts = all('text').slice(0, ticks.length).map((t) => Number(t.textContent));
          const points = all('polyline')[0].getAttribute('points').split(' ')
            .map((p) => Number(p.split(',')[1]));
          return { ticks, texts, points };
        }"""
    )
    (a, *_, b), (low, *_, high) = found["ticks"], found["texts"]
    assert a > b  # down on the screen
    assert low < high
    values = [low + (y - a) / (b - a) * (high - low) for y in found["points"]]
    expected = [row["loss_logits"] for row in story["curve"]]
    assert values == pytest.approx(expected, abs=0.01 * (high - low))


def test_the_slider_goes_back_through_the_probes(report, story):
    probes = story["probes"]
    assert len(probes) > 2
    for place, keys in ((-1, ()), (0, ("Home",)), (1, ("ArrowRight",)), (-1, ("End",))):
        if keys:
            report.screen.locator("#probe").focus()
            report.press(*keys)
        assert report.text("probe-step") == str(probes[place]["step"])
        shown = key(report, "gradients")
        if probes[place]["gradient"][-1] > 0:
            assert shown["with the auxiliary heads"] == pytest.approx(
                float(f"{probes[place]['gradient'][-1]:.1e}"), rel=0.06
            )


def test_samples_and_what_the_network_says(report, story, folder):
    fixed = in_report(folder)["fixed"]
    items = report.screen.locator("#samples li")
    assert items.count() == 12
    for i, answers in enumerate(story["answers"]["of"]):
        item, is_ = items.nth(i), fixed["pictures"][i]["class"]
        assert item.locator(".name").text_content() == fixed["classes"][is_]
        assert item.get_attribute("class") == ("right" if answers[0][0] == is_ else "wrong")
        said = item.locator(".said").all_text_contents()
        assert said == [fixed["classes"][k] for k, _ in answers]
        assert item.locator("img").evaluate("i => i.naturalWidth") == 28


def test_names_and_warnings_are_text(report):
    """No element came of them; what would have run is forbidden besides."""
    warned = report.screen.locator("#messages li").all_text_contents()
    said = (HOSTILE, LONG, "The main head is stuck.")
    assert warned == [f"Step 15: {text}" for text in said]
    assert report.screen.locator("img[src=x]").count() == 0
    assert HOSTILE in report.screen.locator("#samples .name").all_text_contents()


def test_the_table_has_every_epoch(report, story):
    report.screen.locator("#table summary").click()
    rows = report.screen.locator("#table tbody tr").all()
    assert len(rows) == 3
    names = report.screen.locator("#table th").all_text_contents()
    place = names.index("test accuracy")
    for row, epoch in zip(rows, story["rows"], strict=True):
        cell = float(row.locator("td").nth(place).text_content())
        assert cell == pytest.approx(epoch["test_accuracy"], rel=5e-3)
    report.screen.locator("#facts summary").click()
    assert report.text("recipe") == "lr = 1"


@pytest.mark.parametrize(("name", "width", "scheme"), [
    ("light", 1280, "light"), ("dark", 1280, "dark"), ("narrow", 360, "dark"),
])  # fmt: skip
def test_it_fits(started, folder, tmp_path, name, width, scheme):
    page = Page(started, folder / REPORT, width=width, color_scheme=scheme)
    paper = page.screen.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, paper[4:-1].split(","))) < 380) == (scheme == "dark")
    assert page.overflow() <= 0
    page.keep(name, tmp_path, of="report")
    page.close()


def test_it_follows_a_training(started, tmp_path):
    """From its beginning to its end, without being loaded again."""
    with narrow_networks(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "Points", Every)
        patch.setattr(module.Pace, "due", lambda self: True)
        run = training()
        live = Live(run, Server(), FACTS, tmp_path, silent)
        seen = []

        class Looking:
            def step(self, images, means, learning_rate):
                if live.points.steps in (2, 9):
                    step = live.points.steps
                    text = f"step {step} of"
                    until(page, lambda: text in page.text("progress"))
                    told = live.content["curve"][-1]["loss_logits"]
                    shown = key(page, "losses")["main"]
                    seen.append((page.text("state"), shown, told, page.screen.title()))

            def epoch(self, metrics):
                pass

        with live:
            page = Page(started, live.server.url)
            assert page.text("state") == "training"
            said = [
                page.screen.locator(f"#{c} .empty").text_content() for c in ("losses", "gradients")
            ]
            assert said == ["comes with the first steps", "not recorded: --no-record was asked for"]
            run.run(live, Looking())
            live.end("finished")
        until(page, lambda: page.text("state") == "finished")
        assert [state for state, *_ in seen] == ["training", "training"]
        for _, shown, told, _ in seen:
            assert shown == pytest.approx(told, rel=5e-3)
        assert seen[0][3].startswith("13 % · ")
        assert page.wrong == []
        assert {url.removeprefix(live.server.url) for url in page.asked} == {"", "story.json"}
        page.context.close()


def test_it_says_so_when_nobody_answers_any_more(started, tmp_path):
    server = Server()
    fixed = {**FACTS, "classes": ["a"], "stages": ["conv1"], "heads": {"logits": "main"},
             "pictures": [], "steps": 10, "epochs": 1, "recorded": False}  # fmt: skip
    story = {"state": "training", "error": None, "step": 1, "seconds": 1.0, "guess": None,
             "curve": [], "rows": [], "probes": [], "answers": None, "messages": []}  # fmt: skip
    html, policy = module.page(fixed, story)
    server.start(html, policy, json.dumps(story).encode())
    page = Page(started, server.url)
    assert page.text("state") == "training"
    server.close(patience=0)
    until(page, lambda: page.text("state") == "no answer")
    page.context.close()


def test_a_report_of_a_run_that_was_killed_does_not_say_that_it_goes_on(started, folder, tmp_path):
    text = (folder / REPORT).read_text().replace('"state":"finished"', '"state":"training"')
    (tmp_path / "killed.html").write_text(text)
    page = Page(started, tmp_path / "killed.html")
    assert page.text("state") == "so far"
    assert "left" not in page.text("progress")
    page.close()
