"""What runs on the program's side of the sandbox wall, next to the program. Standard library only.

Nothing here is a barrier by itself: from the first line of a program on, its process belongs to it. What holds is set
before that line (namespaces, limits, Landlock, seccomp) or kept outside (clock, output caps, kill, checks).
"""
