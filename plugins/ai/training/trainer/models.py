"""The three models, their calibration, and how much each counts."""

import itertools
import warnings
from dataclasses import dataclass

import lightgbm
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

NAMES = ("linear", "trees", "network")
SEED = 20_240_101

# Standardised features are not taken to be larger: what was hardly seen in training says little.
WIDEST = 5.0

# Weights are kept to so many digits, so that the last bits of a processor's arithmetic don't matter.
DIGITS = 5


def rounded(values: np.ndarray) -> np.ndarray:
    """To a few significant digits, as `float32`."""
    values = np.asarray(values, dtype=np.float64)
    with np.errstate(divide="ignore"):
        scale = 10.0 ** (DIGITS - 1 - np.floor(np.log10(np.abs(values))))
    scale = np.where(np.isfinite(scale), scale, 1.0)
    return (np.round(values * scale) / scale).astype(np.float32)


@dataclass(frozen=True)
class Scaling:
    """Brings features to mean 0 and deviation 1."""

    mean: np.ndarray
    inverse: np.ndarray
    # Features that never change teach nothing, and must count for nothing when they do change one day.
    is_constant: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray, weights: np.ndarray) -> "Scaling":
        wide = features.astype(np.float64)
        mean = np.average(wide, axis=0, weights=weights)
        deviation = np.sqrt(np.average((wide - mean) ** 2, axis=0, weights=weights))
        is_constant = deviation < 1e-6
        inverse = np.where(is_constant, 0.0, 1.0 / np.where(is_constant, 1.0, deviation))
        return cls(rounded(mean), rounded(inverse), is_constant)

    def apply(self, features: np.ndarray) -> np.ndarray:
        scaled = (features - self.mean) * self.inverse
        return np.clip(scaled, -WIDEST, WIDEST).astype(np.float64)


@dataclass(frozen=True)
class Models:
    """What was learnt."""

    scaling: Scaling
    linear: tuple[np.ndarray, np.ndarray]
    trees: dict
    network: list[tuple[np.ndarray, np.ndarray]]
    booster: lightgbm.Booster

    def scores(self, features: np.ndarray) -> np.ndarray:
        """A column of log-odds for each model, not yet calibrated."""
        scaled = self.scaling.apply(features)
        weights, bias = self.linear
        linear = scaled @ weights + bias
        trees = self.booster.predict(features, raw_score=True, num_threads=1)
        layer = scaled
        for place, (weights, bias) in enumerate(self.network):
            layer = layer @ weights + bias
            if place + 1 < len(self.network):
                layer = np.maximum(layer, 0.0)
        return np.column_stack([linear[:, 0], trees, layer[:, 0]])


def balanced(labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weights with which both classes count the same."""
    paid = np.average(labels, weights=weights)
    share = np.where(labels, paid, 1 - paid)
    return weights * 0.5 / np.maximum(share, 1e-6)


def fit(features: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> Models:
    """Learns from samples in their order."""
    scaling = Scaling.of(features, weights)
    scaled = scaling.apply(features)
    weights = balanced(labels, weights)
    weights = weights / weights.mean()

    linear = LogisticRegression(C=0.01, max_iter=2_000, tol=1e-6).fit(scaled, labels, sample_weight=weights)

    booster = lightgbm.train(
        {
            "objective": "binary",
            "learning_rate": 0.05,
            "num_leaves": 12,
            "max_depth": 4,
            "min_data_in_leaf": 150,
            "lambda_l2": 10.0,
            "feature_fraction": 0.5,
            "bagging_fraction": 0.7,
            "bagging_freq": 1,
            "seed": SEED,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": 1,
            "verbosity": -1,
        },
        lightgbm.Dataset(features.astype(np.float64), labels.astype(np.float64), weight=weights),
        num_boost_round=120,
    )

    network = MLPClassifier(
        (32, 16),
        alpha=10.0,
        batch_size=256,
        learning_rate_init=0.001,
        max_iter=10,
        tol=0.0,
        n_iter_no_change=10,
        random_state=SEED,
    )
    with warnings.catch_warnings():
        # So many passes and no more: stopping early would need a share of the samples, drawn without regard to time.
        warnings.simplefilter("ignore", ConvergenceWarning)
        network.fit(scaled, labels, sample_weight=weights)
    layers = [
        (rounded(weights), rounded(bias)) for weights, bias in zip(network.coefs_, network.intercepts_, strict=True)
    ]
    layers[0][0][scaling.is_constant] = 0.0

    return Models(
        scaling=scaling,
        linear=(rounded(linear.coef_.T), rounded(linear.intercept_)),
        trees=booster.dump_model(),
        network=layers,
        booster=booster,
    )


@dataclass(frozen=True)
class Calibration:
    """Platt's: the log-odds of each model are stretched and shifted to be probabilities."""

    slope: np.ndarray
    shift: np.ndarray

    def apply(self, scores: np.ndarray) -> np.ndarray:
        return 1.0 / (1.0 + np.exp(-(scores * self.slope + self.shift)))


def calibrate(scores: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> Calibration:
    """Calibrates on predictions of samples that were not trained on."""
    slope, shift = [], []
    for column in scores.T:
        platt = LogisticRegression(C=1e6, max_iter=1_000, tol=1e-8)
        platt.fit(column[:, None], labels, sample_weight=weights)
        if platt.coef_[0, 0] > 0:
            slope.append(platt.coef_[0, 0])
            shift.append(platt.intercept_[0])
        else:
            # It predicts worse than nothing, so it says no more than what is usual.
            paid = np.average(labels, weights=weights)
            slope.append(0.0)
            shift.append(np.log(paid / (1 - paid)))
    return Calibration(rounded(np.array(slope)), rounded(np.array(shift)))


def log_loss(probabilities: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> float:
    """The mean negative logarithm of what was given to what happened."""
    bounded = np.clip(probabilities, 1e-7, 1 - 1e-7)
    return float(np.average(-np.log(np.where(labels, bounded, 1 - bounded)), weights=weights))


def ensemble_weights(probabilities: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The shares, in steps of a twentieth, with the lowest log-loss on samples that were not trained on."""
    steps = 20
    candidates = [
        np.array([first, second, steps - first - second]) / steps
        for first, second in itertools.product(range(steps + 1), repeat=2)
        if first + second <= steps
    ]
    losses = [round(log_loss(probabilities @ candidate, labels, weights), 6) for candidate in candidates]
    return candidates[int(np.argmin(losses))]
