"""One module per chunking strategy, and the rules that all of them keep."""
