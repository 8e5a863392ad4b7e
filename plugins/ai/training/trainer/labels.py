"""Triple-barrier labels: would buying at the next open have paid, after costs?

López de Prado, "Advances in Financial Machine Learning" (2018), chapter 3. A position is left at the first of three
barriers: a gain, a loss, both in units of what the instrument usually moves in that time, or the end of the time. When
one bar reaches both gain and loss, the loss is taken to have come first.
"""

from dataclasses import asdict, dataclass

import numpy as np

from .data import Series


@dataclass(frozen=True)
class Barriers:
    """Where a position is left, and what buying and selling costs."""

    # The longest a position is held.
    bars: int = 60
    # In units of the usual move over as many bars.
    gain: float = 1.5
    loss: float = 1.5
    # Shares of the price, each way.
    fee: float = 0.001
    slippage: float = 0.0005
    # No barrier is further away.
    widest: float = 0.5

    @property
    def cost(self) -> float:
        """Of buying and selling."""
        return 2 * (self.fee + self.slippage)

    def as_dict(self) -> dict[str, float]:
        """For the model's metadata."""
        return asdict(self)


@dataclass(frozen=True)
class Outcomes:
    """What became of buying after each bar."""

    # Whether the bars up to the last barrier are known.
    known: np.ndarray
    # The place of the bar in which the position is left.
    end: np.ndarray
    # After costs.
    net: np.ndarray

    @property
    def paid(self) -> np.ndarray:
        """The labels."""
        return self.net > 0


def outcomes(series: Series, barriers: Barriers) -> Outcomes:
    """Looks what became of a position that is opened at the open of the bar after each bar."""
    count, bars = len(series), barriers.bars
    known = np.zeros(count, dtype=bool)
    end = np.full(count, count, dtype=np.int64)
    net = np.full(count, np.nan)
    entries = count - bars
    if entries <= 0:
        return Outcomes(known, end, net)

    entry = series.open[1 : entries + 1]
    width = series.usual[:entries] * np.sqrt(bars)
    above = entry * (1 + np.minimum(barriers.gain * width, barriers.widest))
    below = entry * (1 - np.minimum(barriers.loss * width, barriers.widest))

    def windows(column: np.ndarray) -> np.ndarray:
        return np.lib.stride_tricks.sliding_window_view(column[1:], bars)[:entries]

    opens, highs, lows = windows(series.open), windows(series.high), windows(series.low)
    gained, lost = highs >= above[:, None], lows <= below[:, None]

    def first(hit: np.ndarray) -> np.ndarray:
        return np.where(hit.any(axis=1), hit.argmax(axis=1), bars)

    gain_at, loss_at = first(gained), first(lost)
    rows = np.arange(entries)
    at = np.minimum(np.minimum(gain_at, loss_at), bars - 1)
    leave = series.close[1:][rows + at]
    is_loss = (loss_at <= gain_at) & (loss_at < bars)
    is_gain = (gain_at < loss_at) & (gain_at < bars)
    opened = opens[rows, at]
    # A bar that opens beyond a barrier fills there.
    leave = np.where(is_loss, np.minimum(below, opened), leave)
    leave = np.where(is_gain, np.maximum(above, opened), leave)

    known[:entries] = True
    end[:entries] = rows + 1 + at
    net[:entries] = leave / entry - 1 - barriers.cost
    return Outcomes(known, end, net)
