"""`benchmark.py solver`: our solver, and other L-BFGS implementations on the main job.

All minimize the same objective from the same picture, and the lowest loss that each has seen after
20, 40 and 80 evaluations is noted. Ours works on frequency-scaled numbers, the others on the
picture itself, as a user of theirs would; `scipy_our_variables` is SciPy on ours. optax, whose
search spends several evaluations on each iteration, is compared by where 80 iterations end. Four
pairs of the sample pictures, unless others are given. Needs the extra `bench` (SciPy, PyTorch).
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import jaxopt
import numpy as np

from stylejax.images.read import read_picture
from stylejax.images.samples import sample_picture
from stylejax.options import LossOptions, Options, PictureOptions
from stylejax.solvers.optax_methods import optax_lbfgs
from stylejax.solvers.solver import Solver
from stylejax.transfer.parameterization import image_from_latent, latent_from_image
from stylejax.transfer.problem import Problem, make_problem
from stylejax.transfer.start import start_picture
from stylejax.weights.read import read_weights

MARKS = (20, 40, 80)
ITERATIONS = 80
REPEATS = 7
Losses = list[float]


def sample_pairs() -> list[tuple[Path, Path]]:
    """Four pairs of the sample pictures."""
    names = (
        ("astronaut.jpg", "starlit-swirls.jpg"),
        ("astronaut.jpg", "sunlit-field.jpg"),
        ("astronaut.jpg", "paper-waves.jpg"),
        ("sunlit-field.jpg", "starlit-swirls.jpg"),
    )
    return [(sample_picture(content), sample_picture(style)) for content, style in names]


SHALLOW = LossOptions(content_layers=("pool1",), style_layers=("input", "conv1_relu"))
"""A loss that compiles in a second, where figures are not what is wanted."""


def read_problem(
    content: Path, style: Path, size: int, weights: Path | None, *, shallow: bool = False
) -> Problem:
    """The main job on a pair of pictures, defaults untouched but for `shallow` and placement.

    What others are compared with is the loss that they have, too.
    """
    loss = replace(SHALLOW if shallow else LossOptions(), placement=0.0)
    options = Options(PictureOptions(size=size), loss)
    pictures = [read_picture(path, size).pixels for path in (content, style)]
    start = start_picture(options, pictures[0], pictures[1:])
    return make_problem(read_weights(weights), pictures[0], pictures[1:], options, start)


def in_pixels(problem: Problem) -> Problem:
    """The same problem for a solver that works on the picture, kept within [0, 1], itself."""

    def loss(latent: Any, *arguments: Any) -> Any:
        return problem.objective(image_from_latent(latent, parameterization="pixel"), *arguments)

    start = image_from_latent(jnp.asarray(problem.start), parameterization=problem.parameterization)
    return problem._replace(
        solver=Solver(loss, problem.solver.method),
        start=latent_from_image(np.asarray(start), parameterization="pixel"),
        parameterization="pixel",
    )


def counted(problem: Problem) -> tuple[Callable[[Any], tuple[float, np.ndarray]], Losses]:
    """Value and gradient as rivals want them, in float64, and the list of all values they saw."""
    evaluate = jax.jit(jax.value_and_grad(problem.solver.fun, has_aux=True))
    losses: Losses = []

    def value_and_gradient(flat: Any) -> tuple[float, np.ndarray]:
        latent = np.asarray(flat, np.float32).reshape(problem.start.shape)
        (value, _), gradient = evaluate(latent, *problem.arguments)
        losses.append(float(value))
        return float(value), np.asarray(gradient, np.float64).ravel()

    return value_and_gradient, losses


def ours(problem: Problem, evaluations: int) -> Losses:
    """The loss after each evaluation: that of the last iteration that had ended by then."""
    losses: Losses = []
    # An iteration takes an evaluation or more.
    for step in problem.steps(evaluations, pace=lambda step: 1):
        losses += [float(step.value)] * (int(step.evaluations) - len(losses))
        if len(losses) >= evaluations:
            break
    return losses


def final_loss(problem: Problem, solver: Solver) -> float:
    """Where a solver of this package ends."""
    *_, last = problem._replace(solver=solver).steps(ITERATIONS)
    return float(last.value)


def final_losses(problem: Problem) -> dict[str, float]:
    """Where `optax.lbfgs` and we end, and our loss over theirs."""
    ours = final_loss(problem, problem.solver)
    theirs = final_loss(problem, Solver(problem.solver.fun, optax_lbfgs()))
    return {"ours": ours, "optax_lbfgs": theirs, "ours_over_optax": ours / theirs}


def scipy_lbfgsb(problem: Problem, evaluations: int) -> Losses:
    """SciPy's L-BFGS-B, unbounded, with as long a memory as ours."""
    from scipy.optimize import minimize

    function, losses = counted(problem)
    options = {"maxcor": 10, "maxfun": evaluations, "maxiter": evaluations, "ftol": 0, "gtol": 0}
    minimize(function, problem.start.ravel(), jac=True, method="L-BFGS-B", options=options)
    return losses


def torch_lbfgs(problem: Problem, evaluations: int) -> Losses:
    """torch.optim.LBFGS with its strong Wolfe search."""
    import torch  # pyright: ignore[reportMissingImports]

    from benchmarks import torch_transfer

    function, losses = counted(problem)
    latent = torch.tensor(problem.start.ravel(), requires_grad=True)
    optimizer = torch_transfer.lbfgs(latent, evaluations)

    def closure() -> Any:
        value, gradient = function(latent.detach().numpy())
        latent.grad = torch.from_numpy(gradient.astype(np.float32))
        return torch.tensor(value)

    optimizer.step(closure)
    return losses


def jaxopt_zoom(problem: Problem, evaluations: int) -> Losses:
    """Jaxopt's L-BFGS with its own zoom search."""
    solver = jaxopt.LBFGS(problem.solver.fun, has_aux=True, history_size=10, implicit_diff=False)
    params = jnp.asarray(problem.start)
    state: Any = solver.init_state(params, *problem.arguments)
    update, losses = jax.jit(solver.update), []
    while len(losses) < evaluations:
        losses += [float(state.value)] * (int(state.num_fun_eval) - len(losses))
        params, state = update(params, state, *problem.arguments)
    return losses


RIVALS = {
    "ours": ours,
    "scipy_lbfgsb": lambda problem, evaluations: scipy_lbfgsb(in_pixels(problem), evaluations),
    "torch_lbfgs": lambda problem, evaluations: torch_lbfgs(in_pixels(problem), evaluations),
    "jaxopt_zoom": lambda problem, evaluations: jaxopt_zoom(in_pixels(problem), evaluations),
    "scipy_our_variables": scipy_lbfgsb,
}


def lowest(losses: Losses) -> dict[str, float]:
    """The lowest finite loss seen after each number of evaluations."""
    finite = np.nan_to_num(np.asarray(losses, np.float64), nan=np.inf)
    return {str(mark): float(finite[:mark].min()) for mark in MARKS}


def compile_times(problem: Problem) -> dict[str, Any]:
    """Cold compiles of one evaluation and of the solve, copies of the network in the solve."""
    evaluate = jax.jit(jax.value_and_grad(problem.solver.fun, has_aux=True))
    arguments = (problem.start, *problem.arguments)

    def seconds(compile: Callable[[], Any]) -> float:
        jax.clear_caches()
        began = time.perf_counter()
        compile()
        return time.perf_counter() - began

    def convolutions(lowering: Any) -> int:
        return lowering.as_text().count("stablehlo.convolution")

    fun, method = problem.solver.fun, problem.solver.method
    one = lambda: evaluate.lower(*arguments)
    # A fresh solver each time: nothing is remembered from one compilation to the next.
    both = lambda: Solver(fun, method).compile(*arguments)
    seconds(lambda: one().compile())
    alone, whole = [], []
    for _ in range(3):
        alone.append(seconds(lambda: one().compile()))
        whole.append(seconds(both))
    return {
        "copies": sum(map(convolutions, problem.solver.lower(*arguments))) / convolutions(one()),
        "compile_seconds_evaluation": min(alone),
        "compile_seconds_solve": min(whole),
        "compile_ratio": min(whole) / min(alone),
    }


def loop_times(problem: Problem) -> dict[str, float]:
    """Seconds of an evaluation alone and inside the solver's loop, taken by turns."""
    evaluate = jax.jit(jax.value_and_grad(problem.solver.fun, has_aux=True))
    jax.block_until_ready(evaluate(problem.start, *problem.arguments))
    alone, inside, before, iterations = [], [], 0, 0
    # The first iteration warms up.
    for step in problem.steps(ITERATIONS, pace=lambda step: 4 if step.iteration > 0 else 1):
        taken, before = int(step.evaluations) - before, int(step.evaluations)
        iterations = int(step.iteration)
        if iterations <= 1:
            continue
        inside.append(step.seconds / taken)
        if len(alone) < REPEATS:
            began = time.perf_counter()
            jax.block_until_ready(evaluate(step.state.params, *problem.arguments))
            alone.append(time.perf_counter() - began)
    return {
        "seconds_standalone": float(np.median(alone)),
        "seconds_in_loop": float(np.median(inside)),
        "loop_over_standalone": float(np.median(inside) / np.median(alone)),
        "evaluations_per_iteration": before / iterations,
    }


def second_start(content: Path, style: Path, size: int, weights: Path | None) -> float:
    """Seconds from the start of a second process to the picture after its first iteration."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"JAX_COMPILATION_CACHE_DIR": f"{folder}/compiled"}
        command = [sys.executable, "-m", "stylejax", "transfer", str(content), str(style)]
        command += ["-o", f"{folder}/out.png", "--size", str(size), "--save-every", "1", "--quiet"]
        command += [] if weights is None else ["--weights", str(weights)]
        first, seconds = Path(folder, "out-0001.png"), 0.0
        for _ in range(2):
            began = time.perf_counter()
            process = subprocess.Popen(command, env=environment)
            while not first.exists():
                if process.poll():
                    raise subprocess.CalledProcessError(process.returncode, command)
                time.sleep(0.01)
            seconds = time.perf_counter() - began
            process.kill()
            process.wait()
            first.unlink()
    return seconds


def _rows(
    pair: str, losses: dict[str, dict[str, float]], finals: dict[str, float]
) -> Iterator[str]:
    yield f"{pair[:38]:38}     N" + "".join(f"{name:>20}" for name in RIVALS)
    for mark in MARKS:
        values = "".join(f"{losses[name][str(mark)]:20.4f}" for name in RIVALS)
        yield f"{'loss after N evaluations':38} {mark:5d}{values}"
    ours, theirs, ratio = finals.values()
    ends = f"{ours:.4f}, optax.lbfgs {theirs:.4f} (ratio {ratio:.3f})"
    yield f"loss after {ITERATIONS} iterations: {ends}"


def benchmark_solver(arguments: argparse.Namespace) -> dict[str, Any]:
    """All figures of the solver."""
    given = [Path(name) for name in arguments.pairs]
    pairs = list(zip(given[::2], given[1::2], strict=True)) or sample_pairs()
    size, weights = arguments.size, arguments.weights
    report: dict[str, Any] = {"size": size, "device": jax.devices()[0].platform}
    report["second_start_seconds"] = second_start(*pairs[0], size, weights)
    problem = read_problem(*pairs[0], size, weights)
    report |= compile_times(problem)
    report |= loop_times(problem)
    losses: dict[str, dict[str, dict[str, float]]] = {}
    finals: dict[str, dict[str, float]] = {}
    for content, style in pairs:
        problem = read_problem(content, style, size, weights)
        name = f"{content.stem} x {style.stem}"
        losses[name] = {rival: lowest(run(problem, MARKS[-1])) for rival, run in RIVALS.items()}
        finals[name] = final_losses(problem)
        sys.stderr.write("\n".join(_rows(name, losses[name], finals[name])) + "\n")
    report |= {"losses": losses, "final_losses": finals}
    for key, value in report.items():
        if isinstance(value, float):
            sys.stderr.write(f"{key:30} {value:10.3f}\n")
    return report


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the subcommand `solver`."""
    parser = commands.add_parser("solver", help="compile time, evaluations, and rivals")
    parser.add_argument("--size", type=int, default=512, help="longest side in pixels (512)")
    parser.add_argument("--weights", type=Path, help="weight file (the bundled one)")
    parser.add_argument("--pairs", nargs="*", default=[], help="content style content style ...")
    parser.set_defaults(run=benchmark_solver)
