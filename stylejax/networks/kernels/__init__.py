"""The functions of networks and losses, tuned: safe to skip when reading.

In come feature maps or a picture, out come the same values and gradients as of the plain forms; the
keyword `kernels` chooses between the two.
"""

from typing import TYPE_CHECKING

from stylejax.lazy import lazy_names

if TYPE_CHECKING:
    from stylejax.networks.kernels.choice import NetworkKernels, chosen_kernels, network_kernels
else:
    __getattr__, __dir__ = lazy_names(__name__, "choice")

__all__ = ["NetworkKernels", "chosen_kernels", "network_kernels"]
