"""Answers measured: sets of questions read, asked of every variant, scored, compared and shown."""
