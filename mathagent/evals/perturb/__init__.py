"""Perturbations: other versions of the problems of any data set, with answers that are known, to measure robustness."""

from mathagent.evals.perturb.perturbed import Change, Kind, Perturbed, Refusal
from mathagent.evals.perturb.run import KINDS, Perturbation, perturb
from mathagent.evals.perturb.sources import programs_of_dataset, programs_of_records

__all__ = [
    "KINDS",
    "Change",
    "Kind",
    "Perturbation",
    "Perturbed",
    "Refusal",
    "perturb",
    "programs_of_dataset",
    "programs_of_records",
]
