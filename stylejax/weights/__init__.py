"""Weight files come in, the project's own or others', from the disk or from their publishers.

Out go the variables of a network, checked, with what its input must look like and where they are
from.
"""

from typing import TYPE_CHECKING

from stylejax.lazy import lazy_names

if TYPE_CHECKING:
    from stylejax.weights.names import (
        expected_shapes,
        state_dict_from_variables,
        variables_from_state_dict,
    )
    from stylejax.weights.read import Weights, read_weights
    from stylejax.weights.zoo import find_weights
else:
    __getattr__, __dir__ = lazy_names(__name__, "names", "read", "zoo")

__all__ = [
    "Weights",
    "expected_shapes",
    "find_weights",
    "read_weights",
    "state_dict_from_variables",
    "variables_from_state_dict",
]
