"""Process evaluation: how well does a role find the mistakes in solutions, and what is that worth?

ProcessBench (arXiv 2412.06559), MR-GSM8K (arXiv 2312.17080) and MathCheck (arXiv 2407.08733).
"""
