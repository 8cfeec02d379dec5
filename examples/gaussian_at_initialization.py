"""Figure i: a wide network at initialisation is a Gaussian process.

Writes gaussian_at_initialization.png.
"""

from ntkfast.plots.figures import gaussian_at_initialization

result = gaussian_at_initialization.compute(widths=(2, 10, 100))
for width, kurtosis in zip(result.widths, result.kurtosis, strict=True):
    print(f"width {width:>4}: excess kurtosis {kurtosis:.2f}")

gaussian_at_initialization.draw(result).savefig("gaussian_at_initialization.png", dpi=150)
