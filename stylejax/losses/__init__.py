"""Feature maps come in: of the picture, of its content and of its styles.

Scalars go out, one for each term, and the objective that adds them up by weights that are arguments
like all others.
"""

from stylejax.losses.content import content_loss
from stylejax.losses.forms import Form
from stylejax.losses.gram import gram_matrix, style_loss
from stylejax.losses.moments import Moments, covariance, feature_moments
from stylejax.losses.objective import Objective, make_objective
from stylejax.losses.targets import Targets, Term, View
from stylejax.losses.variation import total_variation, total_variation_power
from stylejax.losses.wasserstein import wasserstein_loss
from stylejax.losses.weights import LossTerms, LossWeights

__all__ = [
    "Form",
    "LossTerms",
    "LossWeights",
    "Moments",
    "Objective",
    "Targets",
    "Term",
    "View",
    "content_loss",
    "covariance",
    "feature_moments",
    "gram_matrix",
    "make_objective",
    "style_loss",
    "total_variation",
    "total_variation_power",
    "wasserstein_loss",
]
