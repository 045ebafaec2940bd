"""Weight files come in, the project's own or others', from the disk or from their publishers.

Out go the variables of a network, checked, with what its input must look like and where they are
from.
"""
