"""Solving the equations: one elimination a topology, adjoint derivatives, lanes of boards and frequencies side by side."""
