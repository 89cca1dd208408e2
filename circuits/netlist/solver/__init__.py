"""Solving the equations: one elimination a topology, adjoint derivatives, boards and frequencies side by side."""
