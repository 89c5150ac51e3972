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

# The whole suite; tests that need weights fetch the smallest model once.
test *arguments:
    pytest {{arguments}}
