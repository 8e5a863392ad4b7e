"""Trains the ensemble of the AI strategy from the rows that `bulkhead features` writes.

Start reading at `__main__`, which says what is done in which order. What may never happen: a sample is trained on whose
label looks into bars that it is tested on, or two runs over the same rows give different files.
"""
