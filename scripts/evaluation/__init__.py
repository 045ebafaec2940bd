"""What `evaluate.py` judges pictures by: networks, and measures of arrays."""
