"""Figure h: wider networks train more lazily.

Writes lazy_training.png.
"""

from ntkfast.plots.figures import lazy_training

result = lazy_training.compute(widths=(10, 100, 1_000, 10_000))
for trained in result.training:
    print(trained)

lazy_training.draw(result).savefig("lazy_training.png", dpi=150)
