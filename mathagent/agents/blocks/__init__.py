"""Reusable pieces of graphs: propose, check, revise, select."""
