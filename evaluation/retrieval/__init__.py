"""How well passages are found, measured on sets of questions with judgements."""
