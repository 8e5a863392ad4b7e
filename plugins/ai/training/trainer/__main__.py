"""Reads rows, labels them, walks forward, calibrates, weighs, trains on all, writes the file and its card."""

import argparse
import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime

from . import card, data, evaluation, labels, models, onnx_file, splits

# Labels of neighbouring bars are nearly the same; so one of five bars is a sample.
EVERY = 5
# With fewer of either label nothing is learnt.
LEAST_SAMPLES = 50
# Python and the written file may differ so much, as one counts in 64 bits and the other in 32.
TOLERANCE = 2e-4


@dataclass
class Labelled:
    """A series, what became of buying after each bar, and which bars are samples."""

    series: data.Series
    outcomes: labels.Outcomes
    samples: np.ndarray
    # Opens of the first and the last bar of all series of its source.
    first: int
    last: int
    weight: float = 1.0

    def blocks(self) -> np.ndarray:
        """The block of each bar."""
        return splits.blocks(self.series.time, self.first, self.last)


@dataclass
class Samples:
    """Samples of many series, one after the other."""

    features: np.ndarray
    labels: np.ndarray
    weights: np.ndarray

    @classmethod
    def gather(cls, parts: list[tuple[Labelled, np.ndarray]]) -> "Samples":
        return cls(
            np.concatenate([part.series.features[places] for part, places in parts]),
            np.concatenate([part.outcomes.paid[places] for part, places in parts]),
            np.concatenate([np.full(len(places), part.weight) for part, places in parts]),
        )


def label(sources: list[data.Source], barriers: labels.Barriers) -> list[Labelled]:
    """Labels all series; each source counts the same, however many bars it has."""
    labelled = []
    for source in sources:
        of_source = []
        first = min(int(series.time[0]) for series in source.series)
        last = max(int(series.time[-1]) for series in source.series)
        for series in source.series:
            outcomes = labels.outcomes(series, barriers)
            places = np.flatnonzero(series.ready & outcomes.known)
            of_source.append(Labelled(series, outcomes, places[places % EVERY == 0], first, last))
        count = sum(len(one.samples) for one in of_source)
        if count == 0:
            raise SystemExit(f"{source.name}: no bar has both full windows and a known label; give more bars")
        for one in of_source:
            one.weight = 1.0 / count
        labelled += of_source
    return labelled


def walk_forward(labelled: list[Labelled], block: int) -> tuple[Samples, Samples]:
    """Samples before a block, and in it."""
    split = [
        (
            one,
            splits.split(one.samples, one.outcomes.end[one.samples], one.series.time, one.first, one.last, block),
        )
        for one in labelled
    ]
    train = Samples.gather([(one, places.train) for one, places in split])
    return train, Samples.gather([(one, places.test) for one, places in split])


def test_probabilities(
    probabilities: np.ndarray, shares: np.ndarray, samples: Samples, base_rate: float
) -> card.Tested:
    """How good the models and the ensemble are, beside always saying what is usual."""
    ensemble = probabilities @ shares
    columns = dict(zip(models.NAMES, probabilities.T, strict=True))
    columns |= {"ensemble": ensemble, "base rate": np.full(len(ensemble), base_rate)}
    qualities = {name: evaluation.quality(column, samples.labels, samples.weights) for name, column in columns.items()}
    return card.Tested(qualities, evaluation.calibration_table(ensemble, samples.labels))


def sum_trades(all_trades: list[dict[str, evaluation.Trades]]) -> dict[str, evaluation.Trades]:
    return {
        rule: evaluation.Trades(np.concatenate([trades[rule].returns for trades in all_trades]))
        for rule in evaluation.RULES
    }


def session(content: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def predict(running: onnxruntime.InferenceSession, features: np.ndarray) -> np.ndarray:
    return np.column_stack(running.run(list(models.NAMES), {"features": features}))


def main() -> None:
    parser = argparse.ArgumentParser(prog="trainer", description=__doc__)
    parser.add_argument("--features", nargs="+", type=Path, required=True, help="files of `bulkhead features`")
    parser.add_argument("--simulated", nargs="*", type=Path, default=[], help="such files of simulated markets")
    parser.add_argument("--holdout", nargs="*", type=Path, default=[], help="such files to try the result on")
    parser.add_argument("--out", type=Path, required=True, help="the directory for the model and its card")
    arguments = parser.parse_args()

    barriers = labels.Barriers()
    simulated = data.read_all(arguments.simulated)
    data.forget_inputs(simulated)
    sources = simulated + data.read_all(arguments.features)
    schemas = {series.schema.hash for source in sources for series in source.series}
    if len(schemas) > 1:
        raise SystemExit(f"the files are of different features ({', '.join(sorted(schemas))}); write them anew")
    schema = sources[-1].series[0].schema
    labelled = label(sources, barriers)

    scores, tests, of_last = [], [], None
    for block in range(1, splits.BLOCKS):
        train, test = walk_forward(labelled, block)
        print(f"block {block}: {len(train.labels):,} samples to learn from", file=sys.stderr)
        if min(train.labels.sum(), (~train.labels).sum()) < LEAST_SAMPLES or not len(test.labels):
            raise SystemExit(
                f"block {block}: there are too few samples to learn from, as {LEAST_SAMPLES} must have paid and"
                " as many not; give more bars (some days at least), or let the simulated markets be trained on too"
            )
        of_last = models.fit(train.features, train.labels, train.weights)
        scores.append(of_last.scores(test.features))
        tests.append(test)

    def joined(parts: list[Samples]) -> tuple[np.ndarray, np.ndarray]:
        return np.concatenate([part.labels for part in parts]), np.concatenate([part.weights for part in parts])

    # The last block, with everything chosen before it.
    answers, weights = joined(tests[:-1])
    before = np.concatenate(scores[:-1])
    calibration = models.calibrate(before, answers, weights)
    shares = models.ensemble_weights(calibration.apply(before), answers, weights)
    last_block = test_probabilities(
        calibration.apply(scores[-1]), shares, tests[-1], np.average(answers, weights=weights)
    )
    for source in sources:
        compared = []
        for one in (one for one in labelled if one.series.source == source.name):
            in_block = one.blocks() == splits.BLOCKS - 1
            confidence = evaluation.confidence(calibration.apply(of_last.scores(one.series.features)), shares)
            compared.append(
                evaluation.compare(one.series, in_block & one.series.ready, confidence, one.outcomes, barriers)
            )
        last_block.trades[source.name] = sum_trades(compared)

    # What is shipped: calibrated on all that was predicted, trained on all.
    answers, weights = joined(tests)
    calibration = models.calibrate(np.concatenate(scores), answers, weights)
    shares = models.ensemble_weights(calibration.apply(np.concatenate(scores)), answers, weights)
    everything = Samples.gather([(one, one.samples) for one in labelled])
    final = models.fit(everything.features, everything.labels, everything.weights)
    base_rate = float(np.average(everything.labels, weights=everything.weights))
    until = max(series.time[-1] for source in sources[len(simulated) :] for series in source.series)
    metadata = onnx_file.Metadata(schema.hash, schema.names, shares, card.day(until), base_rate, barriers.as_dict())
    content = onnx_file.to_bytes(onnx_file.build(final, calibration, metadata))

    running = session(content)
    expected = calibration.apply(final.scores(everything.features))
    difference = float(np.abs(predict(running, everything.features) - expected).max())
    if difference > TOLERANCE:
        raise SystemExit(f"the written file answers otherwise than the models, by up to {difference}")

    holdout = []
    for source in data.read_all(arguments.holdout):
        if any(series.schema.hash != schema.hash for series in source.series):
            raise SystemExit(f"{source.name}: it is of other features; write it anew")
        tried = label([source], barriers)
        for one in tried:
            is_later = one.series.time > until
            one.series.ready &= is_later
            one.samples = one.samples[is_later[one.samples]]
        samples = Samples.gather([(one, one.samples) for one in tried])
        tested = test_probabilities(predict(running, samples.features), shares, samples, base_rate)
        compared = []
        for one in tried:
            confidence = evaluation.confidence(predict(running, one.series.features), shares)
            compared.append(evaluation.compare(one.series, one.series.ready, confidence, one.outcomes, barriers))
        tested.trades[source.name] = sum_trades(compared)
        holdout.append((source, tested))

    digest = hashlib.sha256(content).hexdigest()
    constant = final.scaling.is_constant
    text = card.render(
        digest=digest,
        size=len(content),
        schema=schema.hash,
        count=len(schema.names),
        never_changed=[name for name, never in zip(schema.names, constant, strict=True) if never],
        sources=sources,
        samples=len(everything.labels),
        base_rate=base_rate,
        barriers=barriers,
        weights=shares,
        last_block=last_block,
        holdout=holdout,
    )
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "ai-ensemble.onnx").write_bytes(content)
    (arguments.out / "ai-ensemble.md").write_text(text, encoding="utf-8")
    print(f"written: {arguments.out / 'ai-ensemble.onnx'}, SHA-256 {digest}")


if __name__ == "__main__":
    main()
