"""Figure l: convolutional kernels make fewer errors on images than fully connected ones.

Each network learns from up to 500 handwritten digits, by its NNGP and by its NTK. Writes
convolutional.png.
"""

from ntkfast.plots.figures import convolutional

result = convolutional.compute((20, 50, 100, 200, 500), n_test=500)
for name, (nngp, ntk) in zip(convolutional.NETWORKS, result.accuracy, strict=True):
    print(f"{name:22} NNGP {nngp[-1]:.1%}   NTK {ntk[-1]:.1%}")

convolutional.draw(result).savefig("convolutional.png", dpi=150)
