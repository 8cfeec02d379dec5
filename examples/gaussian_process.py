"""Figure g: the NTK Gaussian process, mean and standard deviation at six training times.

Writes gaussian_process.png.
"""

from ntkfast.plots.figures import gaussian_process

result = gaussian_process.compute(prior_variance=2.0, noise_variance=0.001)
for t, normal in zip(result.t, result.training, strict=True):
    print(f"t = {t:<5g} at the training points: {normal.mean.round(3)} ± {normal.std.round(3)}")

gaussian_process.draw(result).savefig("gaussian_process.png", dpi=150)
