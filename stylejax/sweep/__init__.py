"""Pictures come in, and options of which some have several values.

Out goes a picture for each combination, solved many at once as lanes of one program, and tables of
what was found.
"""
