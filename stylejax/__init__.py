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
from stylejax.solvers.jaxopt_lbfgs import lbfgs
from stylejax.solvers.optax_methods import adam, optax_lbfgs
from stylejax.solvers.solver import Solver
from stylejax.transfer.parameterization import image_from_latent, latent_from_image
from stylejax.transfer.presets import network_options, preset_options
from stylejax.transfer.problem import latent_objective
from stylejax.transfer.transfer import Result, style_transfer
from stylejax.weights.read import Weights, read_weights

__all__ = [
    "DenseNet",
    "InputError",
    "LossOptions",
    "LossTerms",
    "LossWeights",
    "Objective",
    "Options",
    "Picture",
    "PictureOptions",
    "Result",
    "Solver",
    "SolverOptions",
    "Targets",
    "Vgg",
    "Weights",
    "adam",
    "content_loss",
    "feature_extractor",
    "gram_matrix",
    "image_from_latent",
    "latent_from_image",
    "latent_objective",
    "layer_table",
    "lbfgs",
    "make_objective",
    "network_options",
    "optax_lbfgs",
    "preset_options",
    "read_picture",
    "read_weights",
    "sample_picture",
    "style_loss",
    "style_transfer",
    "total_variation",
    "total_variation_power",
    "write_picture",
]
