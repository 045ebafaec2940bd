"""Neural style transfer as a pure JAX optimization problem."""

from stylejax.errors import InputError
from stylejax.images.io import Picture, read_picture, write_picture
from stylejax.images.samples import sample_picture
from stylejax.losses.objective import LossTerms, LossWeights, Objective, Targets, make_objective
from stylejax.losses.terms import (
    content_loss,
    gram_matrix,
    style_loss,
    total_variation,
    total_variation_power,
)
from stylejax.networks.densenet import DenseNet
from stylejax.networks.features import feature_extractor
from stylejax.networks.layers import layer_table
from stylejax.networks.vgg import Vgg
from stylejax.options import LossOptions, Options, PictureOptions, SolverOptions
from stylejax.solvers import (
    Method,
    Solver,
    SolverState,
    Step,
    Trace,
    adam,
    chunks_of_about,
    lbfgs,
    optax_lbfgs,
)
from stylejax.sweep import BatchProgress, style_sweep
from stylejax.transfer import (
    Problem,
    Progress,
    Result,
    image_from_latent,
    latent_from_image,
    latent_objective,
    make_problem,
    network_options,
    preset_options,
    reconstruct,
    style_transfer,
)
from stylejax.weights.read import Weights, read_weights

__all__ = [
    "BatchProgress",
    "DenseNet",
    "InputError",
    "LossOptions",
    "LossTerms",
    "LossWeights",
    "Method",
    "Objective",
    "Options",
    "Picture",
    "PictureOptions",
    "Problem",
    "Progress",
    "Result",
    "Solver",
    "SolverOptions",
    "SolverState",
    "Step",
    "Targets",
    "Trace",
    "Vgg",
    "Weights",
    "adam",
    "chunks_of_about",
    "content_loss",
    "feature_extractor",
    "gram_matrix",
    "image_from_latent",
    "latent_from_image",
    "latent_objective",
    "layer_table",
    "lbfgs",
    "make_objective",
    "make_problem",
    "network_options",
    "optax_lbfgs",
    "preset_options",
    "read_picture",
    "read_weights",
    "reconstruct",
    "sample_picture",
    "style_loss",
    "style_sweep",
    "style_transfer",
    "total_variation",
    "total_variation_power",
    "write_picture",
]
