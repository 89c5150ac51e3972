"""Templates: problems with other numbers and names each time, whose answers are computed (GSM-Symbolic's idea).

Source of the method: Mirzadeh et al. 2024, arXiv 2410.05229. The templates that ship are our own.
"""

from mathagent.evals.templates.generator import Instance, instances, to_jsonl
from mathagent.evals.templates.gsm_symbolic import read_gsm_symbolic
from mathagent.evals.templates.shelf import load_templates, shipped_templates
from mathagent.evals.templates.template import VARIANTS, Clause, Draw, Template, Variant

__all__ = [
    "VARIANTS",
    "Clause",
    "Draw",
    "Instance",
    "Template",
    "Variant",
    "instances",
    "load_templates",
    "read_gsm_symbolic",
    "shipped_templates",
    "to_jsonl",
]
