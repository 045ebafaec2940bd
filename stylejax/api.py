"""The public names, grouped; `stylejax` itself has all of them."""

from stylejax.errors import InputError, InputWarning
from stylejax.images.arrays import Picture, PictureLike
from stylejax.images.masks import Masks
from stylejax.images.pictures import as_picture
from stylejax.images.read import read_picture
from stylejax.images.samples import sample_picture
from stylejax.images.write import write_picture
from stylejax.losses.content import content_loss
from stylejax.losses.forms import Form
from stylejax.losses.gram import gram_matrix, style_loss
from stylejax.losses.moments import Moments, feature_moments
from stylejax.losses.objective import Objective, make_objective
from stylejax.losses.targets import Targets, Term, View
from stylejax.losses.variation import total_variation, total_variation_power
from stylejax.losses.wasserstein import wasserstein_loss
from stylejax.losses.weights import LossTerms, LossWeights
from stylejax.networks import (
    DenseNet,
    Layer,
    Network,
    Vgg,
    feature_extractor,
    layer_table,
    network_layers,
)
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
    optax_method,
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
    "Form",
    "InputError",
    "InputWarning",
    "Layer",
    "LossOptions",
    "LossTerms",
    "LossWeights",
    "Masks",
    "Method",
    "Moments",
    "Network",
    "Objective",
    "Options",
    "Picture",
    "PictureLike",
    "PictureOptions",
    "Problem",
    "Progress",
    "Result",
    "Solver",
    "SolverOptions",
    "SolverState",
    "Step",
    "Targets",
    "Term",
    "Trace",
    "Vgg",
    "View",
    "Weights",
    "adam",
    "as_picture",
    "chunks_of_about",
    "content_loss",
    "feature_extractor",
    "feature_moments",
    "gram_matrix",
    "image_from_latent",
    "latent_from_image",
    "latent_objective",
    "layer_table",
    "lbfgs",
    "make_objective",
    "make_problem",
    "network_layers",
    "network_options",
    "optax_lbfgs",
    "optax_method",
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
    "wasserstein_loss",
    "write_picture",
]
