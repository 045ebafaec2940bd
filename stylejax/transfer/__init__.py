"""Pictures and options come in, the solved picture and how it came about go out, as arrays.

What is solved for (`parameterization`, `start`, `pyramid`, `presets`) makes a `problem`, which may
be spread over devices (`sharding`), `levels` takes one after the other from coarse to fine, and
`transfer` and `reconstruction` are the whole in one call.
"""

from stylejax.transfer.history import History, history_csv, history_plot
from stylejax.transfer.levels import Progress
from stylejax.transfer.parameterization import image_from_latent, latent_from_image
from stylejax.transfer.presets import network_options, preset_options
from stylejax.transfer.problem import Pictures, Problem, latent_objective, make_problem
from stylejax.transfer.pyramid import Level, pyramid_levels
from stylejax.transfer.reconstruction import reconstruct
from stylejax.transfer.transfer import Result, style_transfer

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
