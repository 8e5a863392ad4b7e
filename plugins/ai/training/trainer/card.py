"""The model card: what a model was made of, how good it is, and what it does not know."""

import hashlib
from dataclasses import dataclass, field

import numpy as np

from .data import Source
from .evaluation import RULES, THRESHOLD, Quality, Trades
from .labels import Barriers
from .models import NAMES
from .splits import BLOCKS, EMBARGO_BARS


@dataclass
class Tested:
    """Results on bars that were not trained on."""

    qualities: dict[str, Quality]
    calibration: list[tuple[str, int, float, float]]
    # By source: by rule.
    trades: dict[str, dict[str, Trades]] = field(default_factory=dict)


def day(nanoseconds: int) -> str:
    return str(np.datetime64(int(nanoseconds), "ns").astype("datetime64[m]")) + "Z"


def sources_table(sources: list[Source]) -> list[str]:
    lines = ["| rows | what | instruments | bars | from | to |", "|---|---|---|---|---|---|"]
    for source in sources:
        bars = sum(len(series) for series in source.series)
        first = min(series.time[0] for series in source.series)
        last = max(series.time[-1] for series in source.series)
        if source.data.startswith("files "):
            what = source.data.removeprefix("files ").split(", quality")[0].replace(" ", ", SHA-256 `", 1) + "`"
        else:
            digest = hashlib.sha256(source.data.encode()).hexdigest()[:16]
            what = f"simulator, settings `{digest}`"
        count = len(source.series)
        lines.append(f"| `{source.name}` | {what} | {count} | {bars:,} | {day(first)} | {day(last)} |")
    return lines


def quality_table(tested: Tested) -> list[str]:
    lines = ["| predictor | samples | log-loss | Brier | AUC |", "|---|---|---|---|---|"]
    for name, found in tested.qualities.items():
        auc = "–" if np.isnan(found.auc) else f"{found.auc:.3f}"
        lines.append(f"| {name} | {found.count:,} | {found.log_loss:.4f} | {found.brier:.4f} | {auc} |")
    return lines


def calibration_lines(tested: Tested) -> list[str]:
    lines = ["| predicted | samples | mean prediction | it paid |", "|---|---|---|---|"]
    for name, count, mean, share in tested.calibration:
        lines.append(f"| {name} | {count:,} | {mean:.3f} | {share:.3f} |")
    return lines


def trades_table(tested: Tested) -> list[str]:
    lines = ["| bars | rule | trades | net return of a trade | of all |", "|---|---|---|---|---|"]
    for source, rules in tested.trades.items():
        for rule in RULES:
            trades = rules[rule]
            count = len(trades.returns)
            if count:
                lines.append(f"| `{source}` | {rule} | {count:,} | {trades.mean:+.3%} | {trades.total:+.1%} |")
            else:
                lines.append(f"| `{source}` | {rule} | 0 | – | – |")
    return lines


def render(
    *,
    digest: str,
    size: int,
    schema: str,
    count: int,
    never_changed: list[str],
    sources: list[Source],
    samples: int,
    base_rate: float,
    barriers: Barriers,
    weights: np.ndarray,
    last_block: Tested,
    holdout: list[tuple[Source, Tested]],
) -> str:
    """The card as Markdown; the same training gives the same text."""
    shares = ", ".join(f"{name} {weight:.0%}" for name, weight in zip(NAMES, weights, strict=True))
    lines = [
        "# Model card: `ai-ensemble.onnx`",
        "",
        "**A demonstration, not an edge.** It shows how a model is trained, checked, shipped and run. Nothing here says that it",
        "makes money: look at what it did on bars that it was not trained on, below, and at how few of them are of a real",
        "market. Simulated regimes are easier to tell than a market's. Train it on data of your own before you let it trade,",
        "and read your own card.",
        "",
        "This file is written by `cargo xtask train`; see `docs/models.md`.",
        "",
        f"- SHA-256 of the model: `{digest}`, {size:,} bytes",
        f"- features: schema `{schema}`, {count} numbers a bar",
        f"- shares in the ensemble, by validation: {shares}",
        f"- how often the label is yes in training: {base_rate:.1%}, each source counting the same",
        "",
        "## Data",
        "",
        *sources_table(sources),
        "",
        f"{samples:,} samples: every fifth bar with full windows. So that models learn to do without, half of the",
        "simulated instruments have no quotes and a quarter no volume.",
        "",
        "## What it predicts",
        "",
        "Whether buying at the next bar's open pays after costs, if the position is left at the first of: a gain of",
        f"{barriers.gain:g} or a loss of {barriers.loss:g} times the usual move (the realised volatility of 60 bars, scaled",
        f"to {barriers.bars} bars; at most {barriers.widest:.0%}), or {barriers.bars} bars. A bar that reaches both counts as",
        f"the loss. Costs are {barriers.fee * 1e4:g} basis points of fee and {barriers.slippage * 1e4:g} of slippage, each way.",
        "Long only.",
        "",
        "## How it was tested",
        "",
        f"Every source is cut into {BLOCKS} blocks of time. Each block but the first is predicted by models that were trained on",
        f"the blocks before it, without samples whose label was not known {EMBARGO_BARS} bars before the block. Classes are",
        "balanced in training; Platt's calibration and the shares in the ensemble come from these predictions. For the",
        "figures of the last block they come from the blocks before it alone. The shipped models are then trained on all",
        "blocks, so they are not the very models that these figures are of. The settings of the models were chosen on the",
        "shipped data, that of the network (how strongly it is held back) with the last block and the held-out bars in view.",
        "",
        "## The last block",
        "",
        *quality_table(last_block),
        "",
        "Calibration of the ensemble:",
        "",
        *calibration_lines(last_block),
        "",
        f"Decisions: buy from a confidence of {THRESHOLD:g} on (the probability less the models' disagreement), one",
        "position at a time in each instrument, left at the barriers,",
        'after costs. Returns are shares of what was bought, summed over instruments, not compounded. "Random" buys as often',
        "as the ensemble at random moments (the mean of 200 runs).",
        "",
        *trades_table(last_block),
        "",
    ]
    for source, tested in holdout:
        lines += [
            f"## Never trained on: `{source.name}`",
            "",
            "The shipped file itself, on bars after those that it was trained on:",
            "",
            *sources_table([source]),
            "",
            *quality_table(tested),
            "",
            *calibration_lines(tested),
            "",
            *trades_table(tested),
            "",
        ]
    names = ", ".join(f"`{name}`" for name in never_changed) or "none"
    lines += [
        "## What it does not know",
        "",
        "- Anything but prices, volume, quotes and the time. Files of bars hold no signals (sentiment, mentions, community,",
        "  holders, liquidity risk), so it takes no notice of them.",
        f"- Features that never changed in training count for nothing: {names}.",
        "- Other costs, other barriers, other bar lengths, selling short.",
        "- Regimes that its data do not have. Its confidence is calibrated on the data above, and no further.",
        "- Its own effect on the price.",
        "",
    ]
    return "\n".join(lines)
