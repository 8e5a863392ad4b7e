"""Computes the reference values that the indicators are tested against, with TA-Lib and pandas.

Neither shares code with the crate. Run it in a Python 3.11+ environment with the pinned packages:

    pip install numpy==2.4.6 pandas==3.1.1 TA-Lib==0.8.2
    python sdk/tests/vectors/generate.py

It writes indicators.csv beside itself. The series comes from an integer recurrence and has few decimals, so
it is the same on every machine and exact in the file. An empty cell means "not known yet" or "undefined".
"""

from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import talib

PINNED = {"numpy": "2.4.6", "pandas": "3.1.1", "TA-Lib": "0.8.2"}
ROWS = 320


def random_numbers():
    """Lehmer's generator with the multiplier 48271: integers from 1 to 2^31 - 2."""
    state = 20_220_101
    while True:
        state = state * 48_271 % 2_147_483_647
        yield state


def bars():
    """A price that wanders in whole cents, with a still stretch, a jump, and bars without volume."""
    numbers = random_numbers()

    def below(limit):
        return next(numbers) // 7 % limit

    rows = []
    close = 10_000
    for row in range(ROWS):
        still = 150 <= row < 175
        open_ = close + (0 if still else below(41) - 20)
        close = open_ if still else max(100, open_ + below(301) - 148)
        if row == 240:
            close += 2_500
        high = max(open_, close) + (0 if still else below(60))
        low = min(open_, close) - (0 if still else below(60))
        volume = 0 if still or below(15) == 0 else below(5_000)
        rows.append((open_ / 100, high / 100, low / 100, close / 100, volume / 10))
    return pd.DataFrame(rows, columns=["open", "high", "low", "close", "volume"])


def indicators(table):
    high, low, close, volume = (table[name] for name in ("high", "low", "close", "volume"))
    typical = (high + low + close) / 3
    returns = np.log(close).diff()

    # Computed window by window: running sums would leave dust where a window is constant or empty.
    def windows(series, period):
        return series.rolling(period)

    deviation = windows(close, 20).apply(lambda window: np.std(window - window[0]), raw=True)
    mean = windows(close, 20).apply(lambda window: window[0] + np.mean(window - window[0]), raw=True)
    turnover = windows(typical * volume, 20).apply(np.sum, raw=True)
    traded = windows(volume, 20).apply(np.sum, raw=True)
    usual = windows(volume.shift(1), 20).apply(np.mean, raw=True)

    out = table.copy()
    out["sma_10"] = talib.SMA(close, 10)
    out["sma_30"] = talib.SMA(close, 30)
    out["ema_10"] = talib.EMA(close, 10)
    out["ema_50"] = talib.EMA(close, 50)
    out["rsi_14"] = talib.RSI(close, 14)
    out["rsi_2"] = talib.RSI(close, 2)
    out["macd"], out["macd_signal"], out["macd_histogram"] = talib.MACD(close, 12, 26, 9)
    out["atr_14"] = talib.ATR(high, low, close, 14)
    out["bollinger_upper"], out["bollinger_middle"], out["bollinger_lower"] = talib.BBANDS(close, 20, 2, 2)
    out["bollinger_upper_pandas"] = mean + 2 * deviation
    out["highest_20"] = talib.MAX(high, 20)
    out["lowest_20"] = talib.MIN(low, 20)
    out["rate_of_change_10"] = talib.ROCP(close, 10)
    out["realised_volatility_20"] = np.sqrt(windows(returns**2, 20).apply(np.sum, raw=True))
    out["z_score_20"] = ((close - mean) / deviation).where(deviation != 0, 0.0).where(mean.notna())
    out["vwap_20"] = (turnover / traded).where(traded != 0)
    out["volume_ratio_20"] = (volume / usual).where(usual != 0)
    return out


def main():
    for package, pinned in PINNED.items():
        if version(package) != pinned:
            raise SystemExit(f"{package} {version(package)} is installed; these vectors are made with {pinned}")
    target = Path(__file__).with_name("indicators.csv")
    with target.open("w", newline="\n") as file:
        file.write("# Reference values for the indicators. Made by generate.py; don't edit.\n")
        library = talib.__ta_version__.decode().split()[0]
        file.write(f"# TA-Lib (Python package {PINNED['TA-Lib']}, C library {library}): sma, ema, rsi, macd, atr, bollinger\n")
        file.write("# (without _pandas), highest, lowest, rate_of_change.\n")
        file.write(f"# pandas {PINNED['pandas']} with numpy {PINNED['numpy']}: the others.\n")
        indicators(bars()).to_csv(file, index=False, lineterminator="\n")


main()
