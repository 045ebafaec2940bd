"""Pictures as arrays, weights and options come in.

The solved picture goes out with its history, and no file, clock or terminal is touched on the way.
"""
