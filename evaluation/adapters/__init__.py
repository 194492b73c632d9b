"""What an adapter changed: figures of base and adapter over the same rows, and what it forgot."""
