"""Figure f: the analytic kernel as a landscape over x* in [-4, 4]².

Writes kernel_map.png.
"""

from ntkfast.plots.figures import kernel_map

result = kernel_map.compute(points=[(0, 1), (1, 1), (3, 1)], extent=4)
print(kernel_map.NETWORK)
print("largest values of the kernel:", result.values.max(axis=(1, 2)).round(3))

kernel_map.draw(result).savefig("kernel_map.png", dpi=150)
