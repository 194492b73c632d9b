"""Training sets: rows to learn from, made of an index, of questions, of feedback and of public files."""
