"""One evaluation of loss and gradient, ours and a plain PyTorch program's, side by side.

Each program runs in a process of its own, on the same pictures, weights, loss and latent numbers.
What is timed of ours is the evaluation inside the solver's compiled loop, L-BFGS's own work
included; of PyTorch's the same inside `optimizer.step`; by turns. Then each solves the picture, at
this one size, from the start of its process with nothing compiled to the loss that ours ends with.
Needs the extra `bench`.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.solver import sample_pairs
from benchmarks.workers import problem_of, work

# Large enough that neither the product nor the copy stays in a cache.
FLOOR_MEGABYTES = 256
FLOOR_SIDE = 2048
PROGRAMS = ("ours", "torch_eager", "torch_compile")
# Several processes share a GPU: none may take most of its memory at its start.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")


def _started(
    arguments: argparse.Namespace, worker: str, stack: ExitStack, target: float | None = None
) -> subprocess.Popen[str]:
    """A worker's process, with nothing compiled before."""
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    variables = {"TORCHINDUCTOR_CACHE_DIR": folder, "JAX_ENABLE_COMPILATION_CACHE": "false"}
    command = [sys.executable, sys.argv[0], "evaluation", "--worker", worker]
    command += ["--size", str(arguments.size), "--iterations", str(arguments.iterations)]
    command += ["--pair", *map(str, arguments.pair), "--platform", jax.devices()[0].platform]
    command += [] if arguments.weights is None else ["--weights", str(arguments.weights)]
    command += [] if target is None else [f"--target={target}"]
    command += ["--kernels", arguments.kernels]
    command += ["--shallow"] if arguments.shallow else []
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        command, stdin=pipe, stdout=pipe, text=True, env=os.environ | variables
    )
    stack.callback(process.wait)
    stack.callback(process.kill)
    return process


def _heard(process: subprocess.Popen[str]) -> Any:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise subprocess.CalledProcessError(process.wait(), process.args)
    return json.loads(line)


def evaluations(arguments: argparse.Namespace) -> dict[str, Any]:
    """Median seconds, first loss and gradient norm, and peak memory of each program, by turns."""
    seconds: dict[str, list[float]] = {name: [] for name in arguments.programs}
    peak: dict[str, int] = {}
    workers, firsts = {}, {}
    with ExitStack() as stack:
        # One after the other until each is ready: compiling takes all cores.
        for name in arguments.programs:
            workers[name] = _started(arguments, name, stack)
            firsts[name] = np.asarray(_heard(workers[name]))
        for turn in range(1 + arguments.repeats):
            for name, worker in workers.items():
                worker.stdin.write("\n")
                worker.stdin.flush()
                taken, peak[name] = _heard(worker)
                if turn > 0:  # The first one warms up.
                    seconds[name].append(taken)
    prefix = {"ours": ""} | {name: f"{name}_" for name in PROGRAMS[1:]}
    report: dict[str, Any] = {}
    for name, taken in seconds.items():
        report[f"{prefix[name]}seconds"] = float(np.median(taken))
    report["peak_memory_bytes"] = peak["ours"]
    rivals = arguments.programs[1:]
    if rivals:
        report["torch_peak_memory_bytes"] = min(peak[name] for name in rivals)
    for name in rivals:
        report[f"over_{name}"] = report["seconds"] / report[f"{name}_seconds"]
        difference = np.abs(firsts["ours"] - firsts[name]) / firsts[name]
        report[f"{name}_loss_difference"] = float(difference[0])
        report[f"{name}_gradient_norm_difference"] = float(difference[1])
        report[f"{name}_peak_memory_bytes"] = peak[name]
    return report


def _solved(
    arguments: argparse.Namespace, name: str, target: float
) -> tuple[float, float, list[float]]:
    """Seconds from the start of a process to its first iteration and to its end, and its losses."""
    with ExitStack() as stack:
        began, losses, first = time.perf_counter(), [], 0.0
        worker = _started(arguments, name, stack, target)
        assert worker.stdout is not None
        for line in worker.stdout:
            losses += json.loads(line)
            # PyTorch's losses are those of evaluations, of which an iteration ends with the second.
            if not first and len(losses) == (1 if name == "ours" else 2):
                first = time.perf_counter() - began
        if worker.wait():
            raise subprocess.CalledProcessError(worker.returncode, worker.args)
        return first, time.perf_counter() - began, losses


def solves(arguments: argparse.Namespace) -> dict[str, Any]:
    """From the start of the process: seconds to the first iteration, and to the loss of ours."""
    first, total, losses = _solved(arguments, "ours", 0.0)
    target = losses[-1]
    report = {"solve_loss": target, "first_iteration_seconds": first, "solve_seconds": total}
    for name in arguments.programs[1:]:
        first, seconds, losses = _solved(arguments, name, target)
        report[f"{name}_first_iteration_seconds"] = first
        report[f"{name}_solve_seconds"] = seconds
        report[f"{name}_solve_evaluations"] = len(losses)
        report[f"{name}_reached"] = min(losses) <= target
        report[f"solve_over_{name}"] = total / seconds
    return report


def _fastest(function: Callable[..., Any], *arguments: Any) -> float:
    compiled = jax.jit(function)
    jax.block_until_ready(compiled(*arguments))
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        jax.block_until_ready(compiled(*arguments))
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def floor(arguments: argparse.Namespace) -> dict[str, float]:
    """What the evaluation would take at the speed of a large matrix product, and of a large copy.

    Operations and bytes are those of XLA's account of one value and gradient on its own; its bytes
    count each operation's reads and writes, though many stay in caches.
    """
    problem = problem_of(arguments)
    evaluate = jax.jit(jax.value_and_grad(problem.solver.fun, has_aux=True))
    costs: Any = evaluate.lower(problem.start, *problem.arguments).compile().cost_analysis()
    matrix = jnp.ones((FLOOR_SIDE, FLOOR_SIDE), jnp.float32)
    row = jnp.ones(FLOOR_MEGABYTES * 2**18, jnp.float32)
    rate = 2 * FLOOR_SIDE**3 / _fastest(jnp.matmul, matrix, matrix)
    bandwidth = 2 * row.nbytes / _fastest(lambda x: x + 1.0, row)
    return {
        "operations": costs["flops"],
        "bytes_accessed": costs["bytes accessed"],
        "matrix_product_rate": rate,
        "bandwidth": bandwidth,
        "floor_seconds": costs["flops"] / rate,
        "floor_bytes_seconds": costs["bytes accessed"] / bandwidth,
    }


def _at_one_size(arguments: argparse.Namespace) -> dict[str, Any]:
    report: dict[str, Any] = {"size": arguments.size, "device": jax.devices()[0].platform}
    report |= floor(arguments) | evaluations(arguments)
    report |= solves(arguments) if arguments.iterations else {}
    for key, value in report.items():
        sys.stderr.write(f"{key:36} {value}\n")
    return report


def draw(path: Path, reports: list[dict[str, Any]]) -> None:
    """Seconds an evaluation, a megapixel, and peak memory, of all programs over the sizes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.2), layout="constrained")
    time_axes, memory_axes = figure.subplots(1, 2)
    labels = {"": "stylejax", "torch_eager_": "PyTorch eager", "torch_compile_": "torch.compile"}
    for prefix, label in labels.items():
        for axes, key, unit in (
            (time_axes, f"{prefix}seconds", lambda size: size**2 / 1e6),
            (memory_axes, f"{prefix}peak_memory_bytes", lambda size: 1e9),
        ):
            known = [report for report in reports if key in report]
            values = [report[key] / unit(report["size"]) for report in known]
            axes.plot([report["size"] for report in known], values, marker="o", label=label)
    for axes, label in ((time_axes, "seconds a megapixel"), (memory_axes, "peak memory, GB")):
        axes.set(xscale="log", xlabel="longest side, pixels", ylabel=label, ylim=(0, None))
        axes.set_xticks([report["size"] for report in reports])
        axes.xaxis.set_major_formatter("{x:.0f}")
        axes.minorticks_off()
    time_axes.legend()
    figure.savefig(path, dpi=120)


def benchmark_evaluation(arguments: argparse.Namespace) -> dict[str, Any]:
    """All figures of the largest size, and of all sizes where there are several."""
    if arguments.worker is not None:
        arguments.size = arguments.size[0]
        work(arguments)
        sys.exit()
    at = lambda size: argparse.Namespace(**vars(arguments) | {"size": size})
    reports = [_at_one_size(at(size)) for size in arguments.size]
    if arguments.plot is not None:
        draw(arguments.plot, reports)
    return reports[-1] | ({"sizes": reports} if len(reports) > 1 else {})


def add_parser(commands: Any) -> None:
    """Register the subcommand."""
    parser = commands.add_parser("evaluation", help="loss and gradient, against PyTorch")
    number = {"type": int, "metavar": "N"}
    parser.add_argument("--size", **number, nargs="+", default=[512], help="longest sides (512)")
    parser.add_argument("--repeats", **number, default=7, help="turns; the median counts (7)")
    parser.add_argument("--iterations", **number, default=200, help="of the solve; 0: none (200)")
    parser.add_argument("--weights", type=Path, help="weight file (the bundled one)")
    parser.add_argument("--pair", nargs=2, type=Path, default=sample_pairs()[0])
    parser.add_argument("--programs", nargs="+", choices=PROGRAMS, default=list(PROGRAMS))
    parser.add_argument("--plot", type=Path, help="PNG of all sizes (needs the extra `plot`)")
    parser.add_argument("--kernels", choices=("fast", "plain"), default="fast", help="ours (fast)")
    parser.add_argument("--shallow", action="store_true", help="the network's first layers alone")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--platform", help=argparse.SUPPRESS)
    parser.add_argument("--target", type=float, help=argparse.SUPPRESS)
    parser.set_defaults(run=benchmark_evaluation)
