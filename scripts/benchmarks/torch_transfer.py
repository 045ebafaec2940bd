"""The same method as a plain PyTorch program, for `benchmark.py evaluation` to hold us against.

DenseNet-121 up to its second transition, the default loss (mean and covariance apart, relative,
total variation to the power of 1.25), channels last, torch.optim.LBFGS with its strong Wolfe
search. It computes with the picture's pixels or with our frequency-scaled numbers. Only layers,
paddings and constants come from stylejax, so both compute the same number. Needs the extra `bench`.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch  # pyright: ignore[reportMissingImports]
import torch.nn.functional as F  # pyright: ignore[reportMissingImports]

from stylejax.networks.features import frame_padding
from stylejax.networks.layers import DENSENET121
from stylejax.options import LossOptions, Parameterization
from stylejax.transfer.parameterization import SOFTNESS, frequency_scale
from stylejax.weights.read import (
    IMAGENET_MEAN,
    IMAGENET_STANDARD_DEVIATION,
    default_weights,
    read_tensors,
)

Tensor = Any
STYLE_LAYERS = ("input", "conv1_relu", "pool2_relu", "pool3_relu")
STRIDES = {"input": 1, "conv1_relu": 2, "pool2_relu": 4, "pool3_relu": 8}
CONTENT_LAYER = "pool3_relu"


def as_tensor(array: np.ndarray) -> Tensor:
    """An array on PyTorch's default device."""
    return torch.from_numpy(array).to(torch.get_default_device())


def read_kernels(path: Path | None) -> dict[str, Tensor]:
    """A weight file's tensors as float32, kernels channels last."""
    tensors, _ = read_tensors(default_weights() if path is None else path)
    kernels = {}
    for key, value in tensors.items():
        tensor = as_tensor(np.array(value, np.float32))
        if tensor.ndim == 4:
            tensor = tensor.contiguous(memory_format=torch.channels_last)
        kernels[key.removeprefix("features.")] = tensor
    return kernels


def network(kernels: dict[str, Tensor], x: Tensor) -> dict[str, Tensor]:
    """The feature maps that the loss looks at, of a normalized batch."""

    def norm_relu(name: str, x: Tensor) -> Tensor:
        mean, variance, scale, shift = (
            kernels[f"{name}.{key}"] for key in ("running_mean", "running_var", "weight", "bias")
        )
        return F.relu(F.batch_norm(x, mean, variance, scale, shift, training=False, eps=1e-5))

    maps = {"input": x}
    x = F.conv2d(x, kernels["conv0.weight"], stride=2, padding=3)
    maps["conv1_relu"] = x = norm_relu("norm0", x)
    x = F.max_pool2d(x, 3, 2, 1)
    for block, size in enumerate(DENSENET121.block_sizes[:2], start=1):
        for index in range(1, size + 1):
            layer = f"denseblock{block}.denselayer{index}"
            y = F.conv2d(norm_relu(f"{layer}.norm1", x), kernels[f"{layer}.conv1.weight"])
            y = norm_relu(f"{layer}.norm2", y)
            x = torch.cat([x, F.conv2d(y, kernels[f"{layer}.conv2.weight"], padding=1)], 1)
        maps[f"pool{block + 1}_relu"] = x = norm_relu(f"transition{block}.norm", x)
        if block == 1:
            x = F.avg_pool2d(F.conv2d(x, kernels["transition1.conv.weight"]), 2)
    return maps


def features(kernels: dict[str, Tensor], image: Tensor) -> dict[str, Tensor]:
    """Feature maps of a picture (1 x 3 x height x width), cropped to it again."""
    height, width = image.shape[2:]
    edges = frame_padding(width, 8) + frame_padding(height, 8)
    mean, deviation = (
        torch.tensor(each).view(1, 3, 1, 1) for each in (IMAGENET_MEAN, IMAGENET_STANDARD_DEVIATION)
    )
    x = (F.pad(image, edges, mode="reflect") - mean) / deviation
    maps = network(kernels, x.contiguous(memory_format=torch.channels_last))
    cropped = {}
    for name, stride in STRIDES.items():
        first, rows, columns = edges[0] // stride, -(-height // stride), -(-width // stride)
        cropped[name] = maps[name][..., first : first + rows, first : first + columns]
    return cropped


def moments(feature_map: Tensor) -> tuple[Tensor, Tensor]:
    """Means of the channels and of their products."""
    channels = feature_map.shape[1]
    if channels > 3:
        positions = feature_map[0].permute(1, 2, 0).reshape(-1, channels)
        return positions.mean(0), positions.T @ positions / len(positions)
    # A product as thin as this adds all positions in one chain, with an error of 3e-4.
    planes = feature_map[0].reshape(channels, -1)
    return planes.mean(1), planes @ planes.T / planes.shape[1]


def distances(ours: tuple[Tensor, Tensor], target: tuple[Tensor, Tensor]) -> Tensor:
    """The two parts of the covariance loss."""
    channels = len(target[0])
    covariance = lambda mean, gram: gram - torch.outer(mean, mean)
    difference = covariance(*ours) - covariance(*target)
    means = ((ours[0] - target[0]) ** 2).sum() * torch.trace(target[1])
    return torch.stack([(difference**2).sum(), means]) / (4 * channels**2)


def image_of(latent: Tensor, scale: Tensor | None) -> Tensor:
    """The picture of latent numbers, as in `stylejax.transfer.parameterization`."""
    if scale is not None:
        latent = torch.fft.irfft2(torch.fft.rfft2(latent) * scale, latent.shape[2:])
    ramp = lambda x: SOFTNESS * F.softplus(x / SOFTNESS, threshold=1e9)
    upper = latent > 0.5
    x = torch.where(upper, 1 - latent, latent)
    y = ramp(x) - ramp(x - 1)
    return torch.where(upper, 1 - y, y)


def as_batch(picture: np.ndarray) -> Tensor:
    """A height x width x 3 array as a 1 x 3 x height x width tensor."""
    return as_tensor(np.array(picture, np.float32).transpose(2, 0, 1)[None].copy())


def make_loss(
    kernels: dict[str, Tensor],
    content: np.ndarray,
    style: np.ndarray,
    parameterization: Parameterization,
    options: LossOptions | None = None,
) -> Callable[[Tensor], Tensor]:
    """The loss of a latent picture (1 x 3 x height x width) as one function."""
    options = options or LossOptions()
    with torch.no_grad():
        of_content, of_style = (features(kernels, as_batch(each)) for each in (content, style))
        kept = of_content[CONTENT_LAYER].clone()
        spread = 0.5 * ((kept - kept.mean((2, 3), keepdim=True)) ** 2).sum()
        targets = {name: moments(of_style[name]) for name in STYLE_LAYERS}
        units = {name: distances(moments(of_content[name]), targets[name]) for name in STYLE_LAYERS}
    scale = None
    if parameterization == "fourier":
        scale = as_tensor(frequency_scale(*content.shape[:2])[..., 0])

    def loss(latent: Tensor) -> Tensor:
        image = image_of(latent, scale)
        maps = features(kernels, image)
        total = options.content_weight * 0.5 * ((maps[CONTENT_LAYER] - kept) ** 2).sum() / spread
        for name in STYLE_LAYERS:
            parts = distances(moments(maps[name]), targets[name]) / units[name]
            total = total + options.style_weight * parts.mean() / len(STYLE_LAYERS)
        down = image[..., 1:, :-1] - image[..., :-1, :-1]
        right = image[..., :-1, 1:] - image[..., :-1, :-1]
        variation = (down**2 + right**2 + 1e-30).pow(1.25).mean()
        return total + options.tv_weight * variation

    return loss


def value_and_gradient(
    loss: Callable[[Tensor], Tensor], start: np.ndarray
) -> tuple[float, np.ndarray]:
    """Loss and gradient of a latent picture (height x width x 3)."""
    latent = as_batch(start).requires_grad_(True)
    value = loss(latent)
    value.backward()
    return float(value.detach()), latent.grad[0].permute(1, 2, 0).cpu().numpy()


def lbfgs(latent: Tensor, evaluations: int) -> Any:
    """PyTorch's L-BFGS, with as long a memory as ours, ended by the evaluations alone."""
    return torch.optim.LBFGS(
        [latent],
        max_iter=evaluations,
        max_eval=evaluations,
        tolerance_grad=0.0,
        tolerance_change=0.0,
        history_size=10,
        line_search_fn="strong_wolfe",
    )


class Enough(Exception):
    """The loss asked for is reached."""


def solve(
    loss: Callable[[Tensor], Tensor],
    start: np.ndarray,
    evaluations: int,
    target: float = -math.inf,
    on_evaluation: Callable[[float], None] = lambda value: None,
) -> tuple[np.ndarray, list[float]]:
    """L-BFGS from a latent picture; its last point, and the loss of each evaluation."""
    latent = as_batch(start).requires_grad_(True)
    losses: list[float] = []
    optimizer = lbfgs(latent, evaluations)

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss(latent)
        value.backward()
        losses.append(float(value.detach()))
        on_evaluation(losses[-1])
        if losses[-1] <= target:
            raise Enough
        return value

    try:
        optimizer.step(closure)
    except Enough:
        pass
    return latent.detach()[0].permute(1, 2, 0).cpu().numpy(), losses
