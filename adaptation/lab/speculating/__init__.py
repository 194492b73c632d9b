"""A small model that guesses for a larger one: how often it is right, and how far ahead it should guess."""
