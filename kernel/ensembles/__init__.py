"""Ensembles: variants in which several members answer, and one answer is made of theirs."""
