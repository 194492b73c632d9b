"""Policies: variants that choose for each question who answers it and how, and learn from what became of it."""
