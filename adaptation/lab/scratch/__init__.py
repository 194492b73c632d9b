"""A language model from nothing: texts, tokenizer, architecture, training, and what it is worth."""
