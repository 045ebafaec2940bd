"""The processes of the benchmark `evaluation`, ours and PyTorch's, which say lines of JSON."""

import argparse
import json
import os
import platform
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from benchmarks.solver import read_problem
from stylejax.devices.memory import release_freed_memory
from stylejax.images.read import read_picture
from stylejax.networks.kernels import choice
from stylejax.transfer.parameterization import latent_from_image
from stylejax.transfer.problem import Problem

STEPS = 4
"""Iterations in one turn."""
LONGEST = 4
"""A rival may take so many times our evaluations before it is stopped."""
Turn = Callable[[], float]
Said = Callable[[float], None]


def problem_of(arguments: argparse.Namespace) -> Problem:
    """The pair of pictures that the arguments name, as a problem."""
    content, style = arguments.pair
    choice.DEFAULT = arguments.kernels
    shallow = arguments.shallow
    return read_problem(content, style, arguments.size, arguments.weights, shallow=shallow)


def our_evaluations(arguments: argparse.Namespace) -> tuple[list[float], Turn]:
    """Our first loss and gradient norm, and a turn: some iterations, in seconds an evaluation."""
    # As `stylejax transfer` does it.
    release_freed_memory()
    problem = problem_of(arguments).compiled()
    release_freed_memory()
    steps = problem.steps(sys.maxsize, pace=lambda step: STEPS)
    start = next(steps)
    first, before = [float(start.value), float(start.state.gradient_norm)], 1

    def turn() -> float:
        nonlocal before
        step = next(steps)
        taken, before = int(step.evaluations) - before, int(step.evaluations)
        return step.seconds / taken

    return first, turn


def _torch_loss(arguments: argparse.Namespace) -> tuple[Any, np.ndarray]:
    import torch  # pyright: ignore[reportMissingImports]

    from benchmarks import torch_transfer

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    on_gpu = arguments.platform == "gpu"
    torch.set_default_device("cuda" if on_gpu else "cpu")
    content, style = (read_picture(path, arguments.size).pixels for path in arguments.pair)
    kernels = torch_transfer.read_kernels(arguments.weights)
    loss = torch_transfer.make_loss(kernels, content, style, "fourier")
    if arguments.worker == "torch_compile":
        # On a GPU this mode records CUDA graphs.
        loss = torch.compile(loss, mode="reduce-overhead" if on_gpu else None)
    return loss, latent_from_image(content)


def torch_evaluations(arguments: argparse.Namespace) -> tuple[list[float], Turn]:
    """`our_evaluations` of PyTorch's program."""
    from benchmarks import torch_transfer

    loss, latent = _torch_loss(arguments)
    value, gradient = torch_transfer.value_and_gradient(loss, latent)

    def turn() -> float:
        nonlocal latent
        began = time.perf_counter()
        latent, losses = torch_transfer.solve(loss, latent, STEPS)
        return (time.perf_counter() - began) / len(losses)

    return [value, float(np.linalg.norm(gradient.astype(np.float64)))], turn


def solve_ours(arguments: argparse.Namespace, said: Said) -> None:
    """Our solve; the loss is said after the first iteration and each turn."""
    pace = lambda step: STEPS if step.iteration > 0 else 1
    for step in problem_of(arguments).compiled().steps(arguments.iterations, pace=pace):
        if step.taken > 0:
            said(float(step.value))


def solve_torch(arguments: argparse.Namespace, said: Said) -> None:
    """PyTorch's solve, to the loss that ours ended with; the loss is said at each evaluation."""
    from benchmarks import torch_transfer

    loss, start = _torch_loss(arguments)
    most = LONGEST * arguments.iterations
    torch_transfer.solve(loss, start, most, arguments.target, said)


def work(arguments: argparse.Namespace) -> None:
    """A worker's process: says lines of JSON, to take turns on standard input's command."""
    ours = arguments.worker == "ours"
    say = lambda *values: print(json.dumps(values), flush=True)
    if arguments.target is not None:
        (solve_ours if ours else solve_torch)(arguments, lambda loss: say(loss))
        return
    first, turn = (our_evaluations if ours else torch_evaluations)(arguments)
    say(*first)
    peak = peak_bytes if arguments.platform == "cpu" else lambda: device_peak_bytes(ours)
    for _ in sys.stdin:
        say(turn(), peak())


def peak_bytes() -> int:
    """The most memory that this process has had."""
    status = Path("/proc/self/status")
    if status.exists():
        # Linux's ru_maxrss starts with what the parent had.
        line = next(line for line in status.read_text().splitlines() if "VmHWM" in line)
        return 1024 * int(line.split()[1])
    unit = 1 if platform.system() == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def device_peak_bytes(ours: bool) -> int:
    """The most memory of a device that this process has had."""
    if ours:
        statistics = jax.devices()[0].memory_stats()
        return statistics["peak_bytes_in_use"] if statistics else 0
    import torch  # pyright: ignore[reportMissingImports]

    return torch.cuda.max_memory_allocated()
