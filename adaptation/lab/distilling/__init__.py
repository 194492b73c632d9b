"""A small model taught by a larger one: by its predictions, its hidden states, or what it writes."""
