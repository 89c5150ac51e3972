"""What a person sees in a terminal: events as they happen, solutions, downloads, and the interactive session."""
