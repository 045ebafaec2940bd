"""The bytes of a weight file of torch or Keras come in; nothing that they hold is ever run.

Out go its tensors by name, or one line that says what is wrong with it.
"""

from typing import TYPE_CHECKING

from stylejax.lazy import lazy_names

if TYPE_CHECKING:
    from stylejax.weights.formats.keras import read_keras
    from stylejax.weights.formats.state_dict import keras_state_dict, standard_state_dict
    from stylejax.weights.formats.torch import read_torch
else:
    __getattr__, __dir__ = lazy_names(__name__, "keras", "state_dict", "torch")

__all__ = [
    "keras_state_dict",
    "read_keras",
    "read_torch",
    "standard_state_dict",
]
