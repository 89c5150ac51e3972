"""What a person sees of what memory had a part in during a solve: what was shown to the model, what was remembered."""

from __future__ import annotations

from collections.abc import Iterable

from mathagent.console.clean_text import one_line
from mathagent.console.page import Page
from mathagent.console.solution_view import counted
from mathagent.events import Event, Recalled, Recollection, Remembered

MOST_TITLES = 2
TITLE = 48  # characters


def shown_to_model(events: Iterable[Event]) -> list[Recollection]:
    """The experiences that a model was shown, each once, in the order in which they were found."""
    found = {one.id: one for event in events if isinstance(event, Recalled) for one in event.found}
    return list(found.values())


def recollection_words(one: Recollection, page: Page, longest: int = TITLE) -> str:
    """``A farm has 12 hens... (exemplar, gsm8k.train/12, graded)``."""
    about = ", ".join(part for part in (one.experience, one_line(one.source, 60), one.trust) if part)
    return f"{one_line(page.prose_line(one.title), longest)} ({about})"


def show_recalled(page: Page, event: Recalled) -> None:
    """Prints what was found: the best of it, and how many more; nothing where nothing was."""
    if not event.found:
        return
    titles = [recollection_words(one, page) for one in event.found[:MOST_TITLES]]
    more = len(event.found) - len(titles)
    said = "; ".join([*titles, *([f"{more} more"] if more else [])])
    page.parts((f"recalled {len(event.found)}: ", "dim"), (said, "dim"), hang=2)


def remembered_words(event: Remembered) -> str:
    """What a solve has left: see ``added_words``."""
    return added_words(event.new, event.merged)


def added_words(new: int, merged: int) -> str:
    """``2 new experiences, 1 known already``."""
    known = [f"{merged} known already"] if merged else []
    return ", ".join([*([counted(new, "new experience")] if new else []), *known]) or "nothing new"
