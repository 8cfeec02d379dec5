"""Figure d: the parameters of the linear theory, in the full model.

The error falls as one over the square root of the width, and no width makes it zero. Writes
linear_parameters.png.
"""

from ntkfast.plots.figures import linear_parameters

result = linear_parameters.compute(widths=(10, 100, 500, 3_000, 15_000), n_seeds=10)
print(result.gap)

linear_parameters.draw(result).savefig("linear_parameters.png", dpi=150)
