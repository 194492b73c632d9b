"""What learning rate, schedule and brake do to a training, and how it is told that one goes too far."""
