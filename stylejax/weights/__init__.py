"""Weight files come in, the project's own or others', from the disk or from their publishers.

Out go the variables of a network, checked, with what its input must look like and where they are
from.
"""

from stylejax.weights.names import (
    expected_shapes,
    state_dict_from_variables,
    variables_from_state_dict,
)
from stylejax.weights.read import Weights, read_weights
from stylejax.weights.zoo import find_weights

__all__ = [
    "Weights",
    "expected_shapes",
    "find_weights",
    "read_weights",
    "state_dict_from_variables",
    "variables_from_state_dict",
]
