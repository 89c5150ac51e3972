"""The thinking parts: graph state, what a graph may use, and the blocks that strategies are wired from."""
