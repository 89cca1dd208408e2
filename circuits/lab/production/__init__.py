"""What tolerances do: draws, first order, worst case, yield, and what would raise it."""
