"""MAWPS: four older sets of one- and two-step word problems (MultiArith, AddSub, SingleEq, SingleOp)."""

from typing import Any

from mathagent.evals.datasets.source import Hub, Source, Subset, hub, with_subject

MULTIARITH = Hub(repo="ChilleD/MultiArith", fields={"answer": "final_ans"}, add={"subset": "multiarith"})


def adapted(row: dict[str, Any], number: int) -> dict[str, Any]:
    """The row with the older set as subject."""
    return with_subject(row, 1)


DATASET = Source(
    name="mawps",
    title="MAWPS: MultiArith, AddSub, SingleEq, SingleOp",
    paper="Koncel-Kedziorski et al. 2016, doi 10.18653/v1/N16-1136",
    licence="none stated",
    answer="number, written like 43.0",
    answer_type="number",
    note="The hub's copy is another selection (its test part).",
    keep=("subset",),
    adapt=adapted,
    subsets={
        "all": Subset(files=("mawps.test",), hub=hub("MU-NLPC/Calc-mawps", "default", answer="result")),
        "multiarith": Subset(files=("mawps.test",), hub=(MULTIARITH,), where={"subset": "multiarith"}),
        **{
            name: Subset(files=("mawps.test",), where={"subset": name})
            for name in ("addsub", "singleeq", "singleop")
        },
    },
)
