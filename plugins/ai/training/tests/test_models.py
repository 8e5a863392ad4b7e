"""The written file answers as the models do, and is the same each time."""

import unittest

import numpy as np

from trainer import evaluation, models, onnx_file
from trainer.__main__ import TOLERANCE, predict, session


def learnt(seed: int = 1):
    draw = np.random.default_rng(seed)
    features = draw.normal(size=(3_000, 6)).astype(np.float32)
    features[:, 4] = 0
    # A few values many times, on which trees split exactly.
    features[:, 5] = draw.integers(0, 4, 3_000)
    labels = features[:, 0] + (features[:, 5] == 2) * 2 + draw.normal(size=3_000) > 0.5
    weights = np.ones(3_000)
    return features, labels, weights, models.fit(features, labels, weights)


class ConfidenceTest(unittest.TestCase):
    def test_disagreement_is_taken_off_as_the_strategy_does(self):
        shares = np.array([0.2, 0.5, 0.3])
        found = evaluation.confidence(np.array([[0.8, 0.8, 0.8], [0.8, 0.8, 0.4]]), shares)
        np.testing.assert_allclose(found, [0.8, 0.68 - 0.4 * np.sqrt(0.21)], atol=1e-12)


class ModelsTest(unittest.TestCase):
    def setUp(self):
        self.features, self.labels, self.weights, self.models = learnt()
        scores = self.models.scores(self.features)
        self.calibration = models.calibrate(scores, self.labels, self.weights)
        self.metadata = onnx_file.Metadata(
            "0000000000000000",
            list("abcdef"),
            np.array([0.2, 0.5, 0.3]),
            "2022-01-03T23:00Z",
            0.4,
            {"bars": 60},
        )

    def content(self, of: models.Models) -> bytes:
        return onnx_file.to_bytes(onnx_file.build(of, self.calibration, self.metadata))

    def test_the_file_answers_as_the_models(self):
        expected = self.calibration.apply(self.models.scores(self.features))
        found = predict(session(self.content(self.models)), self.features)
        self.assertLess(np.abs(found - expected).max(), TOLERANCE)
        one = predict(session(self.content(self.models)), self.features[:1])
        np.testing.assert_allclose(one, found[:1], atol=1e-6)

    def test_the_same_samples_give_the_same_bytes(self):
        self.assertEqual(self.content(self.models), self.content(learnt()[3]))
        self.assertNotEqual(self.content(self.models), self.content(learnt(2)[3]))

    def test_what_never_changed_counts_for_nothing(self):
        changed = self.features.copy()
        changed[:, 4] = 7
        running = session(self.content(self.models))
        np.testing.assert_array_equal(predict(running, changed), predict(running, self.features))

    def test_all_three_have_learnt(self):
        probabilities = self.calibration.apply(self.models.scores(self.features))
        usual = models.log_loss(np.full(3_000, self.labels.mean()), self.labels, self.weights)
        for column in probabilities.T:
            self.assertLess(models.log_loss(column, self.labels, self.weights), usual - 0.1)

    def test_a_model_that_predicts_backwards_says_what_is_usual(self):
        backwards = models.calibrate(-self.models.scores(self.features), self.labels, self.weights)
        probabilities = backwards.apply(-self.models.scores(self.features))
        np.testing.assert_allclose(probabilities, self.labels.mean(), atol=1e-4)

    def test_the_best_model_counts_most(self):
        answers = np.array([True, False] * 500)
        good = np.where(answers, 0.8, 0.2)
        shares = models.ensemble_weights(
            np.column_stack([np.full(1_000, 0.5), good, 1 - good]), answers, np.ones(1_000)
        )
        self.assertEqual(shares.tolist(), [0.0, 1.0, 0.0])


class ThresholdTest(unittest.TestCase):
    def test_a_threshold_never_lets_more_through(self):
        for threshold in (0.1, -0.1, 1e-35, 2.0, 0.30000000000000004):
            single = np.float32(onnx_file.at_most(threshold))
            self.assertLessEqual(float(single), threshold)
            self.assertGreater(float(np.nextafter(single, np.float32(np.inf))), threshold)
