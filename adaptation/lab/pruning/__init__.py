"""Models made smaller by what they do not need: weights, heads, inner values, layers."""
