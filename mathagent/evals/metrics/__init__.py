"""Numbers over records: what a benchmark shows, with what uncertainty, and whether one arm is better. Pure.

docs/statistics.md has the formulas and their sources.
"""

from mathagent.evals.metrics.arms import ArmRecords, arms
from mathagent.evals.metrics.intervals import Z_95, wilson_interval
from mathagent.evals.metrics.summary import Summary, summarize

__all__ = ["Z_95", "ArmRecords", "Summary", "arms", "summarize", "wilson_interval"]
