"""Function calling: which functions there are, how a model chooses one, and what a result supports."""
