"""No sample is trained on whose label looks into the test, or comes after it."""

import unittest

import numpy as np

from trainer.labels import Barriers, outcomes
from trainer.splits import BAR, BLOCKS, EMBARGO_BARS, blocks, split

from .made_up import random_series


class SplitsTest(unittest.TestCase):
    def test_no_label_reaches_the_test(self):
        walk = random_series(3_000, 1)
        found = outcomes(walk, Barriers())
        samples = np.flatnonzero(found.known)
        tested = []
        for block in range(1, BLOCKS):
            parts = split(samples, found.end[samples], walk.time, walk.time[0], walk.time[-1], block)
            self.assertGreater(len(parts.train), 0)
            self.assertGreater(len(parts.test), 0)
            self.assertLess(found.end[parts.train].max() + EMBARGO_BARS, parts.test.min())
            self.assertLess(parts.train.max(), parts.test.min())
            tested.append(parts.test)
        together = np.concatenate(tested)
        self.assertEqual(len(together), len(set(together)))

    def test_all_that_may_be_is_trained_on(self):
        samples, ends = np.arange(600), np.arange(600) + 10
        time = np.arange(611) * BAR
        parts = split(samples, ends, time, 0, 599 * BAR, 3)
        self.assertEqual(parts.test.tolist(), list(range(300, 400)))
        self.assertEqual(parts.train.tolist(), list(range(300 - EMBARGO_BARS - 10)))

    def test_blocks_are_in_order_and_alike(self):
        numbers = blocks(np.arange(1_000) * BAR, 0, 999 * BAR)
        self.assertTrue((np.diff(numbers) >= 0).all())
        self.assertEqual(set(np.bincount(numbers)), {166, 167})

    def test_a_series_that_begins_later_tells_nothing_of_the_others_future(self):
        """Two series of one source; the second has bars of its last third alone."""
        spans = [(0, 6_000), (4_000, 6_000)]
        for block in range(1, BLOCKS):
            learnt_until, tested_from = 0, 6_000
            for first, end in spans:
                count = end - first
                time = np.arange(first, end) * BAR
                samples = np.arange(count - 60)
                parts = split(samples, samples + 60, time, 0, 5_999 * BAR, block)
                learnt_until = max([learnt_until, *(first + parts.train + 60)])
                tested_from = min([tested_from, *(first + parts.test)])
            self.assertLess(learnt_until + EMBARGO_BARS, tested_from)
