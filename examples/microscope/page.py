"""Put the page together: the files of ``page/``, and the engine's numbers, in one HTML file.

The page reaches for nothing: its policy (CSP) names the one script and the one style that may run,
by their hashes, and forbids the rest.
"""

import base64
import hashlib
import html
import json
import re
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "page"
SCRIPTS = (
    "grids.js", "arithmetic.js", "check.js", "matrices.js", "convolution.js", "sums.js", "pool.js",
    "inception.js", "page.js",
)  # fmt: skip


def page(data: dict[str, Any]) -> str:
    """Return the page that shows `data`, as `examples.microscope.export.everything` gives it."""
    style = (FOLDER / "style.css").read_text(encoding="utf-8")
    scripts = "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in SCRIPTS)
    script = f'(() => {{\n"use strict";\n{scripts}}})();\n'
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    image = data["image"]
    content = {
        "policy": policy,
        "style": style,
        "script": script,
        "data": embedded(data),
        "caption": html.escape(f"{image['title']} ({image['source']})"),
    }
    template = (FOLDER / "page.html").read_text(encoding="utf-8")
    # In one pass: what is put in may look like a place itself.
    return re.sub(r"\{\{(\w+)\}\}", lambda place: content[place[1]], template)


def embedded(data: Any) -> str:
    r"""Write JSON so that nothing in it ends the element it stands in, or begins another.

    Examples
    --------
    >>> embedded("</script><!--")
    '"\\u003c/script\\u003e\\u003c!--"'
    """
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
