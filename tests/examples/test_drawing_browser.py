"""A drawn graph in a notebook's page: in a frame, where modules unfold by a click or a key."""

import numpy as np

import minigrad
from minigrad import graph
from tests.examples.browser import Page
from tests.graph.graphs import Net


def test_modules_unfold_in_a_frame(started, tmp_path):
    net = Net()
    x = minigrad.tensor(np.ones((1, 1, 4, 4), np.float32), requires_grad=True)
    with minigrad.kernels("vectorized"), graph.calls(net) as seen:
        out = net(x).sum()
    drawing = graph.draw(out, model=seen)
    path = tmp_path / "notebook.html"
    path.write_text(f"<!doctype html><body style='width:500px'>{drawing._repr_html_()}</body>")
    page = Page(started, path)
    frame = page.screen.frame_locator("iframe")
    box = page.screen.locator("iframe").bounding_box()
    assert box["width"] == 500
    assert frame.locator("svg").bounding_box()["height"] <= box["height"] + 1
    shown = frame.locator(".panel")
    folded = frame.locator("a.b")
    assert folded.count() == shown.count() == 2

    def unfolded():
        return [shown.nth(k).is_visible() for k in range(2)]

    assert unfolded() == [False, False]
    folded.nth(1).click()
    assert unfolded() == [False, True]
    shown.nth(1).locator("a").first.click()
    assert unfolded() == [False, False]
    folded.nth(0).focus()
    page.press("Enter")
    assert unfolded() == [True, False]
    page.keep("unfolded", tmp_path, "drawing")
    page.asked = [address for address in page.asked if not address.startswith("data:")]
    page.close()
