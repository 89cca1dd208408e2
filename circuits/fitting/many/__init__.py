"""Compiled fits: a circuit's formula becomes a program in C, for one board in microseconds or for thousands at once."""

from circuits.fitting.many.compiled_fit import Answer, CompiledFit, compile_fit

__all__ = ["Answer", "CompiledFit", "compile_fit"]
