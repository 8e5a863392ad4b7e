"""Walk-forward splits whose training samples end before the test begins.

López de Prado, as above, chapter 7: a sample's label looks ahead, so samples just before the test would tell what
happens in it. They are purged, and some bars more are left out as an embargo.
"""

from dataclasses import dataclass

import numpy as np

BLOCKS = 6
EMBARGO_BARS = 60
# The length of a bar, in the unit of the times: nanoseconds.
BAR = 60_000_000_000


@dataclass(frozen=True)
class Split:
    """Places of samples of one series."""

    train: np.ndarray
    test: np.ndarray


def blocks(time: np.ndarray, first: int, last: int) -> np.ndarray:
    """The block of each moment, from 0 to `BLOCKS` - 1, of the time from the first to the last bar of a source.

    Of a source, and not of a series: series that begin or end at other times than the rest of their source would else
    be learnt from before the rest of it was over, and tell how the market as a whole went on.
    """
    return np.clip((time - first) * BLOCKS // (last - first + BAR), 0, BLOCKS - 1)


def split(samples: np.ndarray, ends: np.ndarray, time: np.ndarray, first: int, last: int, test_block: int) -> Split:
    """Tests on a block and trains on what was over, with its labels, before it and the embargo.

    `samples` are places of bars, `ends` the places in which their labels are known, `time` when each bar opens, `first`
    and `last` the first and the last such moment of the whole source.
    """
    is_test = blocks(time[samples], first, last) == test_block
    start = first - (-test_block * (last - first + BAR) // BLOCKS)
    is_train = time[ends] < start - EMBARGO_BARS * BAR
    return Split(samples[is_train], samples[is_test])
