"""Figure c: the loss falls by orders of magnitude, but the parameters hardly move.

Writes parameter_motion.png.
"""

from ntkfast.plots.figures import parameter_motion

result = parameter_motion.compute(width=15_000)
print("the loss falls from", result.loss[0], "to", result.loss[-1])
for group, distance in result.distance.items():
    print(f"{group:<26} moved by {distance[-1]:.2%} of their norm")

parameter_motion.draw(result).savefig("parameter_motion.png", dpi=150)
