"""Values that notebooks draw: who draws them is named here by an upper layer, so that they need not know it.

Jupyter and its like ask an object for ``_repr_html_`` and its siblings (IPython's documentation, "Rich display").
"""

from __future__ import annotations

from importlib import import_module

drawn_by: dict[str, str] = {}
"""Module by the name of a class: its function ``html``, ``markdown`` or ``latex`` draws an object of it. A form that it
has no function for, or a class that nobody draws, is shown as plain text."""


class Displayed:
    """Base of values that are drawn where they are the result of a notebook's cell."""

    def _repr_html_(self) -> str | None:
        return _drawn(self, "html")

    def _repr_markdown_(self) -> str | None:
        return _drawn(self, "markdown")

    def _repr_latex_(self) -> str | None:
        return _drawn(self, "latex")


def _drawn(shown: Displayed, form: str) -> str | None:
    module = drawn_by.get(type(shown).__name__)
    draw = None if module is None else getattr(import_module(module), form, None)
    return None if draw is None else str(draw(shown))
