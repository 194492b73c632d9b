"""Pipelines: variants whose answers are made in steps, which the settings name."""
