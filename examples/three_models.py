"""Figure e: a finite network, its linearisation, and infinite width, side by side over time.

Writes three_models.png.
"""

from ntkfast.plots.figures import three_models

result = three_models.compute(steps=(1, 5, 20, 100, 1_000), widths=(30, 3_000))
print("distance from the linearised network, a row for each width, a column for each step:")
print(result.gap_to_linear.round(4))
print("distance from infinite width:")
print(result.gap_to_infinite.round(4))

three_models.draw(result).savefig("three_models.png", dpi=150)
