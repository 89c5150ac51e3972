"""Example of a plugin of mathagent: a strategy, a tool and a data set about the divisors of whole numbers."""
