"""Modules of a pipeline: each reads the question and what was found before it, and adds a finding."""
