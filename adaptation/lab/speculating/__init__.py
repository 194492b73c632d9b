"""A small model that guesses for a larger one: how often it is right, what that saves, how far ahead it should guess."""
