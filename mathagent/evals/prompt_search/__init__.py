"""Prompt search: which text of one setting of a strategy makes a model solve most problems?
(docs/prompt-optimisation.md)

Sources: "The Unreasonable Effectiveness of Eccentric Automatic Prompts" (arXiv 2402.10949), "Prompt Engineering a
Prompt Engineer" (arXiv 2311.05661).
"""

from mathagent.evals.prompt_search.result import SearchResult, read_settings, write_result
from mathagent.evals.prompt_search.search import PromptSearch, SearchInterrupted
from mathagent.evals.prompt_search.spec import METHODS, SearchSpec
from mathagent.evals.prompt_search.splits import Splits, split

__all__ = [
    "METHODS",
    "PromptSearch",
    "SearchInterrupted",
    "SearchResult",
    "SearchSpec",
    "Splits",
    "read_settings",
    "split",
    "write_result",
]
