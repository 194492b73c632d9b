"""The groups of what `kernel.app.Tekio` does, each a base of it."""
