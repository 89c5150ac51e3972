"""The parts of the local transformers backend (``hf:``): see transformers_local, which is the door. Needs torch."""
