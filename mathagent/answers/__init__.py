"""Answers: extract a final answer from text; are two answers the same? Pure functions, no I/O."""
