"""How a program in the sandbox says that its input is at fault."""


class Unreadable(ValueError):
    """The input is wrong, or beyond what is done here; the message tells the model what, and what to write instead."""
