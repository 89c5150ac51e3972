"""Evaluations: the only part that knows the right answers."""
