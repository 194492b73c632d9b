"""Policies measured: on a bandit whose optimum is known, and on recorded answers."""
