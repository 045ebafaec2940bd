"""The parts of `evaluate.py`: pairs of pictures, jobs that make the results, and the table."""
