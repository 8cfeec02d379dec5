"""A bandit that learns rewards with growing data (NeuralUCB with the exact kernel)."""

import numpy as np

import ntkfast.neural_tangents as nt
from ntkfast.neural_tangents import stax


def main(rounds=120):
    rng = np.random.default_rng(0)
    best_arm = rng.standard_normal(4)
    _, _, kernel_fn = stax.serial(stax.Dense(64, 1.0, 0.2), stax.Relu(), stax.Dense(1))
    contexts, rewards, regrets = np.zeros((0, 4)), np.zeros((0, 1)), []
    for _ in range(rounds):
        arms = rng.standard_normal((6, 4))
        arms /= np.linalg.norm(arms, axis=1, keepdims=True)
        values = np.tanh(arms @ best_arm)
        score = np.zeros(6)
        if len(contexts):
            predict_fn = nt.predict.gp_inference(
                kernel_fn(contexts, None, ("nngp", "ntk")), rewards, 0.1
            )
            mean, covariance = predict_fn(
                "ntkgp", kernel_fn(arms, contexts), kernel_fn(arms, None, ("nngp", "ntk"))
            )
            score = mean[:, 0] + 0.3 * np.sqrt(np.maximum(np.diag(covariance), 0))
        arm = int(score.argmax())
        regrets.append(values.max() - values[arm])
        contexts = np.vstack([contexts, arms[arm]])
        reward = values[arm] + 0.1 * rng.standard_normal()
        rewards = np.vstack([rewards, [[reward]]])
    early, late = np.mean(regrets[:20]), np.mean(regrets[-40:])
    print(f"mean regret of the first 20 rounds {early:.3f}, of the last 40 {late:.3f}")
    return float(late / early)


if __name__ == "__main__":
    main()
