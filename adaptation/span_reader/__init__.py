"""The reading model: a LoRA adapter over the embedder, trained to find the words that answer a question."""
