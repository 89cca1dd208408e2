"""What to measure next, and an hour at the bench."""
