"""Fine-tuning: a base model and a training set in, an adapter with its figures out."""
