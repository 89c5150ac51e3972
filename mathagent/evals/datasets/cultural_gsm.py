"""Lost in Cultural Translation: GSM8K questions with their cultural items marked, to be replaced (evals/perturb.py).

The six national variants were not published in that form: ``gsm_symbolic`` holds the question with placeholders and
``mappings`` what stands for each.
"""

from mathagent.evals.datasets.source import Source, Subset

DATASET = Source(
    name="cultural-gsm",
    title="Lost in Cultural Translation: GSM8K questions with placeholders",
    paper="Karim et al. 2025, arXiv 2503.18018",
    licence="none stated",
    answer="number, after #### in the solution",
    answer_type="number",
    note="From github.com/akarim23131/Lost_in_Cultural_Translation; the questions are GSM8K's own.",
    family="origin_id",
    keep=("origin_id", "gsm_symbolic", "mappings", "entities_identified"),
    subsets={"test": Subset(files=("cultural_gsm.templates",))},
)
