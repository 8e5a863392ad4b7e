"""Small tests of the trainer: `python -m unittest discover` in its folder."""
