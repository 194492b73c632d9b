"""What a sentence claims, and whether a text says the same: figures, names, negations and words."""
