"""The embedder fine-tuned on the passages of an index, without labels."""
