"""Options and the names of files come in.

Out go pictures, tables and checkpoints on the disk; disk and clock belong to this package, the
terminal to its callers.
"""
