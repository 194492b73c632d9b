"""Policies trained: who answers which question and how, learnt from answers with their rewards."""
