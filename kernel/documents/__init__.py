"""What is done with whole documents: summaries, comparisons, facts read out by a schema."""
