"""Public data sets by name: one file and one line here each; other packages add theirs through entry points.

None of their data is part of this package. A name is read from a local folder, else from the Hugging Face hub
(docs/datasets.md).
"""

from mathagent.evals.dataset import Dataset
from mathagent.evals.datasets.identity import item_hash
from mathagent.evals.datasets.loading import found_locally, load_dataset, read_rows
from mathagent.evals.datasets.names import resolve
from mathagent.evals.datasets.table import DATASETS

__all__ = ["DATASETS", "Dataset", "found_locally", "item_hash", "load_dataset", "read_rows", "resolve"]
