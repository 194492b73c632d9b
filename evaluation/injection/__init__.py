"""Attacks on an answer from within the documents: made by code, asked with and without, and counted."""
