"""What is remembered for a user: memories, what was said of answers, conversations. Needs no Semantic Kernel."""
