"""Which part of a board is wrong."""
