"""Labels against outcomes that are told by hand, and against a plain loop."""

import unittest

import numpy as np

from trainer.labels import Barriers, outcomes

from .made_up import random_series, series

# The usual move is 1 % a bar, so the barriers lie 2 % away from the entry, for four bars; nothing costs anything.
FREE = Barriers(bars=4, gain=1.0, loss=1.0, fee=0.0, slippage=0.0)
QUIET = (100.0, 101.0, 99.0, 100.0)


class LabelsTest(unittest.TestCase):
    def outcome(self, *bars, barriers=FREE):
        """Of buying after the first bar."""
        found = outcomes(series([QUIET, *bars, *[QUIET] * 4]), barriers)
        return found.end[0], round(found.net[0], 6)

    def test_the_gain_comes_first(self):
        self.assertEqual(self.outcome(QUIET, (100.0, 102.5, 99.0, 102.0)), (2, 0.02))

    def test_the_loss_comes_first(self):
        self.assertEqual(self.outcome((100.0, 101.0, 97.0, 98.0), (100.0, 103.0, 99.0, 103.0)), (1, -0.02))

    def test_a_bar_that_reaches_both_is_a_loss(self):
        self.assertEqual(self.outcome((100.0, 103.0, 97.0, 100.0)), (1, -0.02))

    def test_a_gap_fills_where_it_opens(self):
        self.assertEqual(self.outcome(QUIET, (95.0, 96.0, 94.0, 96.0)), (2, -0.05))
        self.assertEqual(self.outcome(QUIET, (104.0, 105.0, 103.0, 104.0)), (2, 0.04))

    def test_the_time_ends(self):
        self.assertEqual(self.outcome(QUIET, QUIET, QUIET, (100.0, 101.0, 99.0, 100.5)), (4, 0.005))

    def test_costs_are_paid_both_ways(self):
        costly = Barriers(bars=4, gain=1.0, loss=1.0, fee=0.001, slippage=0.0005)
        self.assertEqual(self.outcome(QUIET, (100.0, 102.5, 99.0, 102.0), barriers=costly), (2, 0.017))

    def test_what_is_not_over_is_not_known(self):
        found = outcomes(series([QUIET] * 6), FREE)
        self.assertEqual(found.known.tolist(), [True, True, False, False, False, False])

    def test_the_same_as_bar_by_bar(self):
        barriers = Barriers(bars=20)
        walk = random_series(600, 3)
        found = outcomes(walk, barriers)
        for place in range(len(walk) - barriers.bars):
            entry = walk.open[place + 1]
            width = barriers.gain * walk.usual[place] * barriers.bars**0.5
            for bar in range(place + 1, place + barriers.bars + 1):
                leave = walk.close[bar]
                if walk.low[bar] <= entry * (1 - width):
                    leave = min(entry * (1 - width), walk.open[bar])
                    break
                if walk.high[bar] >= entry * (1 + width):
                    leave = max(entry * (1 + width), walk.open[bar])
                    break
            self.assertEqual(found.end[place], bar)
            self.assertAlmostEqual(found.net[place], leave / entry - 1 - 0.003)

    def test_no_label_depends_on_bars_after_its_end(self):
        walk = random_series(300, 4)
        found = outcomes(walk, Barriers(bars=20))
        for place in (0, 57, 200):
            changed = random_series(300, 4)
            after = slice(found.end[place] + 1, None)
            for column in (changed.open, changed.high, changed.low, changed.close):
                column[after] *= 3
            again = outcomes(changed, Barriers(bars=20))
            self.assertEqual((again.end[place], again.net[place]), (found.end[place], found.net[place]))


class UsualTest(unittest.TestCase):
    def test_is_read_from_the_features(self):
        np.testing.assert_allclose(series([QUIET], usual=0.02).usual, 0.02, rtol=1e-6)
