"""Feature maps come in: of the picture, of its content and of its styles.

Scalars go out, one for each term, and the objective that adds them up by weights that are arguments
like all others.
"""
