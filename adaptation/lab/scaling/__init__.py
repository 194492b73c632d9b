"""What size and how many tokens a budget of computing is best spent on."""
