"""The pages of HTML that we write: their templates, and what makes each of them one file that needs nothing else.

What models, programs and people wrote is untrusted: every expression of a template is cleaned and escaped unless it is
markup of ours, and a page's own policy (CSP) allows its style sheet and its script, by their hashes, and nothing else.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from mathagent.console.clean_text import clean, one_line
from mathagent.console.prose_html import code_html, formula_html, pre_html, prose_html, text_html

if TYPE_CHECKING:
    from jinja2 import Environment, Template

LONGEST_OUTPUT = 100_000  # characters of one program's output; more makes browsers slow, and nobody reads it


def template(name: str) -> Template:
    """The template of that file name, with the filters that draw code, formulas and replies."""
    return _environment().get_template(name)


def asset(*names: str) -> Markup:
    """The files of the templates' folder, one after the other: a page's style sheet, or its script."""
    folder = files(__package__).joinpath("templates")
    return Markup("\n".join(folder.joinpath(name).read_text(encoding="utf-8") for name in names))


def csp_hash(content: str) -> str:
    """What a policy calls an inline style sheet or script with this ``content``."""
    return f"sha256-{b64encode(hashlib.sha256(content.encode()).digest()).decode()}"


def _clipped(text: str) -> str:
    left_out = len(text) - LONGEST_OUTPUT
    return text if left_out <= 0 else f"{text[:LONGEST_OUTPUT]}\n... ({left_out:,} more characters)"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _cleaned(value: Any) -> Any:
    """Every expression of a template goes through here: markup of ours as it is, all else cleaned text."""
    return value if isinstance(value, Markup) else clean(str(value))


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("mathagent.console"), autoescape=True, undefined=StrictUndefined, finalize=_cleaned
    )
    environment.filters |= {
        "code": code_html,
        "clipped": _clipped,
        "formula": formula_html,
        "json": _json,
        "one_line": one_line,
        "pre": pre_html,
        "prose": prose_html,
        "text": text_html,
    }
    return environment
