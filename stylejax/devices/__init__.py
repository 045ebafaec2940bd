"""The devices and processes that JAX sees come in, and the size of what is to be computed.

Out goes whether it fits, and which device and which process has which part of it.
"""
