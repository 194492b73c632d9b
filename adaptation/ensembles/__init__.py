"""Ensembles fitted: weights of members, and models that choose among their answers, by recorded answers."""
