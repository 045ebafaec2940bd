"""Pictures as arrays, weights and options come in.

Out goes the solved picture with its history, level by level from coarse to fine; no file and no
terminal is touched on the way.
"""

from typing import TYPE_CHECKING

from stylejax.lazy import lazy_names

if TYPE_CHECKING:
    from stylejax.transfer.history import History, history_csv, history_plot
    from stylejax.transfer.levels import Progress
    from stylejax.transfer.parameterization import image_from_latent, latent_from_image
    from stylejax.transfer.pictures import Pictures
    from stylejax.transfer.presets import network_options, preset_options
    from stylejax.transfer.problem import Problem, latent_objective, make_problem
    from stylejax.transfer.pyramid import Level, pyramid_levels
    from stylejax.transfer.reconstruction import reconstruct
    from stylejax.transfer.transfer import Result, style_transfer
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        "history",
        "levels",
        "parameterization",
        "presets",
        "problem",
        "pyramid",
        "reconstruction",
        "transfer",
    )

__all__ = [
    "History",
    "Level",
    "Pictures",
    "Problem",
    "Progress",
    "Result",
    "history_csv",
    "history_plot",
    "image_from_latent",
    "latent_from_image",
    "latent_objective",
    "make_problem",
    "network_options",
    "preset_options",
    "pyramid_levels",
    "reconstruct",
    "style_transfer",
]
