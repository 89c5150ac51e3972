# Everything that must be green before a commit.
check: lint types layers test

# Format and lint.
lint:
    ruff format --check .
    ruff check .

# Mend what ruff can mend.
fix:
    ruff format .
    ruff check --fix .

# Static types, strictly.
types:
    mypy

# Who may import whom (pyproject.toml, importlinter).
layers:
    lint-imports

# The whole suite in three processes (it waits much), a file in one of them, for files share what is slow to start. In the
# order of their folders: the long files of integration/ come before the short ones of unit/, which fill up the rest.
# Tests that need weights fetch the smallest model once.
test:
    pytest -n 3 --dist loadfile --no-loadscope-reorder --durations 40 --durations-min 3

# The pages that are made from the code: docs/strategies and docs/papers.md.
docs:
    python docs/generate.py
