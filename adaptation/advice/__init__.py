"""Advice on which way to adapt a model: rules over answers, costs over time, and the commands to run."""
