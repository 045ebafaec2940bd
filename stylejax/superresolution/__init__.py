"""A small picture and a sharpness come in, and out goes the picture 4 or 8 times as large.

For training, photographs and an encoder that judges come in, and the network's parameters go out.
"""

from typing import TYPE_CHECKING

from stylejax.lazy import lazy_names

if TYPE_CHECKING:
    from stylejax.superresolution.form import Enlarger
    from stylejax.superresolution.network import Parameters, enlarge, init_parameters
    from stylejax.superresolution.options import UpscaleOptions
    from stylejax.superresolution.reduction import Reduction, bicubic, reduced
    from stylejax.superresolution.residual import cubic_enlargement
    from stylejax.superresolution.run import enlarge_picture
    from stylejax.superresolution.training import Errors, Judges, training_step
else:
    __getattr__, __dir__ = lazy_names(
        __name__, "form", "network", "options", "reduction", "residual", "run", "training"
    )

__all__ = [
    "Enlarger",
    "Errors",
    "Judges",
    "Parameters",
    "Reduction",
    "UpscaleOptions",
    "bicubic",
    "cubic_enlargement",
    "enlarge",
    "enlarge_picture",
    "init_parameters",
    "reduced",
    "training_step",
]
