"""Figure a: a network of 15,000 hidden units learns three points, in closed form.

Its outputs follow the empirical tangent kernel of one draw, whose three eigenvalues determine the
times of learning. Writes training_dynamics.png.
"""

from ntkfast.plots.figures import training_dynamics

result = training_dynamics.compute(width=15_000, seed=0)
print(result.network)
print(result.flow)
print("loss at the first and last time:", result.loss[[0, -1]])

training_dynamics.draw(result).savefig("training_dynamics.png", dpi=150)
