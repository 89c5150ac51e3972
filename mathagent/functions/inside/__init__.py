"""What runs in the sandbox beside the written code; the standard library only."""
