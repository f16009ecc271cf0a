"""Pages of one file: HTML with its style, its script and its numbers in it, and nothing from afar.

The policy of such a page (CSP) names the one script and the one style that may run, by their
hashes, and forbids the rest.
"""

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


class Page:
    """The parts of a page, read from a folder.

    Parameters
    ----------
    folder : Path
        With ``page.html``, in which ``{{style}}``, ``{{script}}``, ``{{policy}}`` and more such
        places stand, and ``style.css``.
    scripts : sequence of str
        Files, in order. They become one script, whose names are not seen from outside.
    connect : str
        Where the page may ask for more: ``'self'``, or nowhere.
    """

    def __init__(self, folder: Path, scripts: Sequence[str], connect: str = "") -> None:
        self.style = (folder / "style.css").read_text(encoding="utf-8")
        whole = "\n".join((folder / name).read_text(encoding="utf-8") for name in scripts)
        self.script = f'(() => {{\n"use strict";\n{whole}}})();\n'
        self.template = (folder / "page.html").read_text(encoding="utf-8")
        self.policy = (
            f"default-src 'none'; script-src {_hash(self.script)}; "
            f"style-src {_hash(self.style)}; img-src data:; base-uri 'none'; form-action 'none'"
            + (f"; connect-src {connect}" if connect else "")
        )

    def html(self, **places: str) -> str:
        """Return the page, with what belongs into its other places."""
        parts: Mapping[str, str] = {
            "policy": self.policy, "style": self.style, "script": self.script, **places,
        }  # fmt: skip
        # In one pass: what is put in may look like a place itself.
        return re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], self.template)


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
