"""Scorers: evidence for or against a candidate, found without knowing the reference."""
