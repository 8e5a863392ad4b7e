"""The rows of `bulkhead features`, as series of one instrument."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet

BAR_COLUMNS = ("open", "high", "low", "close")

# Features of inputs that a feed may not have, by the first and the last of each group.
OPTIONAL_GROUPS = {
    "quotes": ("quote_known", "turnover"),
    "volume": ("volume_known", "illiquidity_15_240"),
}


@dataclass(frozen=True)
class Schema:
    """What a row holds."""

    hash: str
    names: list[str]
    neutral: np.ndarray

    def columns_of(self, group: str) -> slice:
        """The columns of a group of inputs that may be missing."""
        first, last = OPTIONAL_GROUPS[group]
        return slice(self.names.index(first), self.names.index(last) + 1)


@dataclass
class Series:
    """Bars of one instrument in order, with their features."""

    source: str
    symbol: str
    time: np.ndarray
    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    ready: np.ndarray
    features: np.ndarray
    # The root of the mean squared return of 60 bars, for one bar.
    usual: np.ndarray = field(init=False)
    schema: Schema

    def __post_init__(self) -> None:
        level = self.features[:, self.schema.names.index("volatility_60")].astype(np.float64)
        self.usual = 0.001 * np.exp(level)

    def __len__(self) -> int:
        return len(self.time)


@dataclass(frozen=True)
class Source:
    """A file of rows, and what it says they were computed from."""

    name: str
    data: str
    series: list[Series]


def read(path: Path) -> Source:
    """Reads a file; fails when it names no features."""
    table = parquet.read_table(path)
    metadata = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
    if "bulkhead.features" not in metadata:
        raise SystemExit(f"{path}: these are no features; write them with `bulkhead features`")
    definitions = json.loads(metadata["bulkhead.definitions"])
    names = [definition["name"] for definition in definitions]
    neutral = np.array([definition["neutral"] for definition in definitions], dtype=np.float32)
    schema = Schema(metadata["bulkhead.features"], names, neutral)

    symbols = table["symbol"].to_numpy(zero_copy_only=False)
    time = table["time"].cast("int64").to_numpy()
    columns = {name: table[name].to_numpy() for name in BAR_COLUMNS}
    ready = table["ready"].to_numpy(zero_copy_only=False).astype(bool)
    features = np.column_stack([table[name].to_numpy() for name in names]).astype(np.float32)
    series = []
    for symbol in sorted(set(symbols)):
        rows = symbols == symbol
        bars = {name: column[rows] for name, column in columns.items()}
        series.append(
            Series(
                source=path.stem,
                symbol=str(symbol),
                time=time[rows],
                ready=ready[rows],
                features=features[rows],
                schema=schema,
                **bars,
            )
        )
    return Source(path.stem, metadata["bulkhead.data"], series)


def read_all(paths: list[Path]) -> list[Source]:
    """Reads files of one schema."""
    sources = [read(path) for path in paths]
    schemas = {series.schema.hash for source in sources for series in source.series}
    if len(schemas) > 1:
        raise SystemExit(f"the files are of different features ({', '.join(sorted(schemas))}); write them anew")
    return sources


def forget_inputs(sources: list[Source]) -> None:
    """Lets some simulated instruments have no quotes, and some no volume, as real feeds often have none.

    Without that, a model would learn from the simulator that these inputs are always there.
    """
    for source in sources:
        for place, series in enumerate(source.series):
            for group, is_missing in (("quotes", place % 2 == 1), ("volume", place % 4 == 3)):
                if is_missing:
                    columns = series.schema.columns_of(group)
                    series.features[:, columns] = series.schema.neutral[columns]
