"""The loop beneath a fit, written by hand: the classroom's gradient descent in ohms, one record a step."""

import circuits as cc

target = cc.simulate(cc.LowPass(R=200.0), cc.tones(1000))
board = cc.LowPass(R=1000.0)
for step in cc.iterate(board, target, method=cc.GradientDescent(lr=1000.0), coordinates="linear"):
    if step.index % 1000 == 0:
        print(f"step {step.index:5d}   R = {board.R.item():8.3f} Ω   loss {float(step.loss):.6f}")
    if step.index == 5000:
        break

board = cc.LowPass(R=1000.0)
print()
print(cc.fit(board, target))
