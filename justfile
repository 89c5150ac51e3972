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

# The whole suite, most of it in three processes (it waits much); tests that need weights fetch the smallest model once.
test:
    pytest -n 3 --dist loadfile --durations 40 --durations-min 3

# The pages that are made from the code: docs/strategies and docs/papers.md.
docs:
    python docs/generate.py
