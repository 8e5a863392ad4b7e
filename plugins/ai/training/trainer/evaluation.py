"""What predictions are worth: as probabilities, and as decisions against rules that know nothing."""

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import roc_auc_score

from .data import Series
from .labels import Barriers, Outcomes
from .models import SEED, log_loss

# From which confidence on the strategy buys, and how much of their disagreement it takes from the models' probability,
# unless its user says otherwise.
THRESHOLD = 0.65
DISAGREEMENT = 1.0
RANDOM_RUNS = 200
FAST_BARS, SLOW_BARS = 10, 30


@dataclass(frozen=True)
class Quality:
    """Probabilities against what happened."""

    count: int
    log_loss: float
    brier: float
    auc: float


def quality(probabilities: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> Quality:
    """The usual measures. Without both outcomes there is no AUC."""
    has_both = 0 < labels.sum() < len(labels)
    auc = roc_auc_score(labels, probabilities, sample_weight=weights) if has_both else float("nan")
    brier = np.average((probabilities - labels) ** 2, weights=weights)
    return Quality(len(labels), log_loss(probabilities, labels, weights), float(brier), float(auc))


def calibration_table(probabilities: np.ndarray, labels: np.ndarray) -> list[tuple[str, int, float, float]]:
    """For each tenth: how many predictions, their mean, and how often it paid."""
    table = []
    tenth = np.minimum((probabilities * 10).astype(int), 9)
    for number in range(10):
        inside = tenth == number
        if inside.any():
            name = f"{number / 10:.1f} to {(number + 1) / 10:.1f}"
            mean, share = float(probabilities[inside].mean()), float(labels[inside].mean())
            table.append((name, int(inside.sum()), mean, share))
    return table


def confidence(probabilities: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """What the strategy compares with its threshold: the mean of the models less their standard deviation."""
    mean = probabilities @ shares
    deviation = np.sqrt((probabilities - mean[:, None]) ** 2 @ shares)
    return np.clip(mean - DISAGREEMENT * deviation, 0.0, 1.0)


@dataclass(frozen=True)
class Trades:
    """Net returns of trades, one after the other, as shares of what was bought."""

    returns: np.ndarray

    @property
    def total(self) -> float:
        return float(self.returns.sum())

    @property
    def mean(self) -> float:
        return float(self.returns.mean()) if len(self.returns) else 0.0


def one_at_a_time(wanted: np.ndarray, outcomes: Outcomes) -> Trades:
    """Buys after each bar that is wanted, unless a position is still held."""
    returns, free_from = [], 0
    for place in np.flatnonzero(wanted & outcomes.known):
        if place >= free_from:
            returns.append(outcomes.net[place])
            free_from = outcomes.end[place]
    return Trades(np.array(returns))


def at_random(allowed: np.ndarray, outcomes: Outcomes, trades: int) -> Trades:
    """As many trades at random moments: the mean of many such runs, as one trade for each."""
    places = np.flatnonzero(allowed & outcomes.known)
    if not trades or not len(places):
        return Trades(np.array([]))
    draw = np.random.default_rng(SEED)
    means = [outcomes.net[draw.choice(places, trades)].mean() for _ in range(RANDOM_RUNS)]
    return Trades(np.full(trades, np.mean(means)))


def crossover(series: Series, allowed: np.ndarray, barriers: Barriers) -> Trades:
    """In while the mean of 10 closes is above that of 30; fills at the next open."""

    def sma(bars: int) -> np.ndarray:
        sums = np.cumsum(np.insert(series.close, 0, 0.0))
        mean = np.full(len(series), np.nan)
        mean[bars - 1 :] = (sums[bars:] - sums[:-bars]) / bars
        return mean

    wanted = (sma(FAST_BARS) > sma(SLOW_BARS)) & allowed
    returns, entry = [], None
    for place in range(len(series) - 1):
        price = series.open[place + 1]
        if wanted[place] and entry is None:
            entry = price
        elif entry is not None and not wanted[place]:
            returns.append(price / entry - 1 - barriers.cost)
            entry = None
    return Trades(np.array(returns))


def always(allowed: np.ndarray, outcomes: Outcomes) -> Trades:
    """Buys again as soon as a position is closed."""
    return one_at_a_time(allowed, outcomes)


RULES = ("ensemble", "always in", "crossover 10/30", "random")


def compare(
    series: Series, allowed: np.ndarray, confidence: np.ndarray, outcomes: Outcomes, barriers: Barriers
) -> dict[str, Trades]:
    """The decision rule and those that know nothing, over the same bars."""
    own = one_at_a_time(allowed & (confidence >= THRESHOLD), outcomes)
    return {
        "ensemble": own,
        "always in": always(allowed, outcomes),
        "crossover 10/30": crossover(series, allowed, barriers),
        "random": at_random(allowed, outcomes, len(own.returns)),
    }
