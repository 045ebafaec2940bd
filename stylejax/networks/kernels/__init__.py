"""The functions of networks and losses, tuned: safe to skip when reading.

In come feature maps or a picture, out come the same values and gradients as of the plain forms; the
keyword `kernels` chooses between the two.
"""

from stylejax.networks.kernels.choice import NetworkKernels, chosen_kernels, network_kernels

__all__ = ["NetworkKernels", "chosen_kernels", "network_kernels"]
