"""Figures: retrieval, answers, refusals, speed."""
