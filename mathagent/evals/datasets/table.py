"""The lazy table of data sets: a new one is its file and one line here."""

from mathagent.registry import Registry

DATASETS = Registry(
    "data set",
    "mathagent.datasets",
    {
        name: f"mathagent.evals.datasets.{name.replace('-', '_')}:DATASET"
        for name in (
            "aime24",
            "aime25",
            "amc23",
            "aqua",
            "asdiv",
            "bbh",
            "big-bench",
            "cmath",
            "college-math",
            "cultural-gsm",
            "game24",
            "gaokao",
            "gsm-hard",
            "gsm-plus",
            "gsm-symbolic",
            "gsm8k",
            "math",
            "math500",
            "mathcheck-gsm",
            "mathqa",
            "mawps",
            "mgsm",
            "minerva-math",
            "mr-gsm8k",
            "olympiadbench",
            "processbench",
            "redial",
            "sat-math",
            "svamp",
            "templates",
            "theoremqa",
        )
    },
)
