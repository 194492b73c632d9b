"""Variants that make their answers of other variants' answers: ensembles, pipelines, learned choices."""
