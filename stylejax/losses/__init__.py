"""Feature maps come in: of the picture, of its content and of its styles.

Scalars go out, one for each term, and the objective that adds them up by weights that are arguments
like all others.
"""

from typing import TYPE_CHECKING

from stylejax.lazy import lazy_names

if TYPE_CHECKING:
    from stylejax.losses.content import content_loss
    from stylejax.losses.forms import Form
    from stylejax.losses.gram import gram_matrix, style_loss
    from stylejax.losses.moments import Moments, covariance_losses, feature_moments, gram_loss
    from stylejax.losses.objective import Objective, make_objective
    from stylejax.losses.targets import Regions, Targets, Term, View
    from stylejax.losses.variation import total_variation, total_variation_power
    from stylejax.losses.wasserstein import wasserstein_loss
    from stylejax.losses.weights import LossTerms, LossWeights
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        "content",
        "forms",
        "gram",
        "moments",
        "objective",
        "targets",
        "variation",
        "wasserstein",
        "weights",
    )

__all__ = [
    "Form",
    "LossTerms",
    "LossWeights",
    "Moments",
    "Objective",
    "Regions",
    "Targets",
    "Term",
    "View",
    "content_loss",
    "covariance_losses",
    "feature_moments",
    "gram_loss",
    "gram_matrix",
    "make_objective",
    "style_loss",
    "total_variation",
    "total_variation_power",
    "wasserstein_loss",
]
