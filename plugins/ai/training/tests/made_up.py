"""Series made by hand or at random."""

import numpy as np

from trainer.data import Schema, Series

SCHEMA = Schema("0000000000000000", ["volatility_60"], np.zeros(1, np.float32))


def series(bars: list[tuple[float, float, float, float]], usual: float = 0.01) -> Series:
    """Bars as open, high, low, close, with the same usual move of one bar throughout."""
    opens, highs, lows, closes = (np.array(column, dtype=float) for column in zip(*bars, strict=True))
    count = len(bars)
    return Series(
        source="made up",
        symbol="X",
        time=np.arange(count, dtype=np.int64) * 60_000_000_000,
        open=opens,
        high=highs,
        low=lows,
        close=closes,
        ready=np.ones(count, dtype=bool),
        features=np.full((count, 1), np.log(usual / 0.001), dtype=np.float32),
        schema=SCHEMA,
    )


def random_series(count: int, seed: int) -> Series:
    """A random walk."""
    draw = np.random.default_rng(seed)
    closes = 100 * np.exp(np.cumsum(draw.normal(0, 0.01, count)))
    opens = np.concatenate([[100.0], closes[:-1]])
    highs = np.maximum(opens, closes) * (1 + draw.uniform(0, 0.005, count))
    lows = np.minimum(opens, closes) * (1 - draw.uniform(0, 0.005, count))
    return series(list(zip(opens, highs, lows, closes, strict=True)))
