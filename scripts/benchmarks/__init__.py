"""The benchmarks that `benchmark.py` runs by name, one a module."""
