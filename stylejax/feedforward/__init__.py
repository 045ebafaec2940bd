"""A photograph and a mixture of learned styles come in, and out goes the painted picture.

For training, photographs and what is asked of a painting come in, and the network's parameters go
out.
"""

from typing import TYPE_CHECKING

from stylejax.lazy import lazy_names

if TYPE_CHECKING:
    from stylejax.feedforward.large import paint_in_strips
    from stylejax.feedforward.mixtures import masked_mixture, style_mixture
    from stylejax.feedforward.network import Painter, Parameters, init_parameters, paint
    from stylejax.feedforward.normalization import Mixture, Statistics
    from stylejax.feedforward.options import ApplyOptions
    from stylejax.feedforward.perceptual import Aims, painting_moments, typical_units
    from stylejax.feedforward.run import Painting, paint_photograph
    from stylejax.feedforward.training import TrainingState, initial_state, training_step, validate
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        "large",
        "mixtures",
        "network",
        "normalization",
        "options",
        "perceptual",
        "run",
        "training",
    )

__all__ = [
    "Aims",
    "ApplyOptions",
    "Mixture",
    "Painter",
    "Painting",
    "Parameters",
    "Statistics",
    "TrainingState",
    "init_parameters",
    "initial_state",
    "masked_mixture",
    "paint",
    "paint_in_strips",
    "paint_photograph",
    "painting_moments",
    "style_mixture",
    "training_step",
    "typical_units",
    "validate",
]
