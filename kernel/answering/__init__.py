"""The stages between a question and a checked answer; each can be called and timed alone."""
