"""What `scripts/fuzz.py` feeds with bytes: the readers of files, with seeds to begin from."""

NAMES = ("pictures", "metadata", "checkpoints", "weights")
"""Of the readers; known before they are imported, for an importer that instruments them."""
