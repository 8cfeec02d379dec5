"""Figure k: order, the edge of chaos, chaos, and the trainable networks.

Writes trainability.png.
"""

from ntkfast.plots.figures import trainability

result = trainability.compute(depth=60, b_std=0.2)
print(f"the edge of chaos is at w_std = {result.edge:.6f}")
for field in result.phases:
    print(field)

trainability.draw(result).savefig("trainability.png", dpi=150)
