"""A conversation: questions made to stand alone, turns kept within a budget of tokens."""
