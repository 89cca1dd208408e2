"""Certified nonlinear regression problems (NIST StRD) as small modules; see README.md beside this file."""
