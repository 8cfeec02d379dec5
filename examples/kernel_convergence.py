"""Figure j: empirical kernels approach the analytic one as the width grows.

Writes kernel_convergence.png.
"""

from ntkfast.plots.figures import kernel_convergence

result = kernel_convergence.compute(depths=(1, 3, 6))
for depth, study in zip(result.depths, result.studies, strict=True):
    print(f"depth {depth}: {study.ntk}")

kernel_convergence.draw(result).savefig("kernel_convergence.png", dpi=150)
