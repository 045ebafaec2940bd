"""A function of a pytree comes in, and a place to start from.

Out go the parameters that minimize it, the state from which a solve goes on, and the trace of how
it went.
"""
