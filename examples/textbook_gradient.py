"""A resistor is a tensor in ohms, and its gradient is the one from the textbook.

For the low-pass |H| = 1/√(1 + x²) with x = 2πfRC, the derivative by R is −(x²/R)/(1 + x²)^(3/2).
"""

import math

import torch

import circuits as cc

circuit = cc.LowPass(R=500.0, C=1e-6)
f = 1000.0
(by_autograd,) = torch.autograd.grad(circuit(f), circuit.R)
x = 2 * math.pi * f * 500.0 * 1e-6
by_hand = -(x**2 / 500.0) / (1 + x**2) ** 1.5
print(f"d|H|/dR  by autograd {by_autograd.item():.12e} /Ω")
print(f"         by hand     {by_hand:.12e} /Ω")
print(cc.draw_graph(circuit, f))
