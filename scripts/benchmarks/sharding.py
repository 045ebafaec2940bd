"""One picture over several devices: is it the same, what does each hold, what do they exchange?

Where there are too few devices, as many virtual ones are made of the CPU: memory and exchange are
then as they would be, times are not.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np

from benchmarks.solver import read_problem, sample_pairs
from stylejax.devices.mesh import communication
from stylejax.solvers.steps import Program
from stylejax.sweep.lanes import program_bytes
from stylejax.transfer.problem import Problem
from stylejax.transfer.sharding import over_rows

ITERATIONS = 3


def _solved(problem: Problem) -> tuple[Program, dict[str, np.ndarray]]:
    """The picture after some iterations, with loss, gradient norm and compiled program."""
    problem = problem.compiled()
    assert problem.programs is not None
    steps = problem.steps(ITERATIONS)
    first = next(steps)
    numbers = [float(first.value), float(first.state.gradient_norm)]
    last = next(steps)
    return problem.programs.advance, {
        "first": np.asarray([*numbers, float(last.value)]),
        "image": problem.image(last.state),
    }


def benchmark_sharding(arguments: argparse.Namespace) -> dict[str, Any]:
    """Compare the sharded solve of a square picture with the plain one."""
    count, size = arguments.devices, arguments.size
    devices = jax.devices()[:count]
    problem = read_problem(*sample_pairs()[0], size, arguments.weights)
    plain_program, plain = _solved(problem)
    program, sharded = _solved(over_rows(problem, devices))
    assert isinstance(program, jax.stages.Compiled)
    difference = np.abs(sharded["first"] - plain["first"]) / plain["first"]
    bytes_plain, bytes_sharded = program_bytes(plain_program), program_bytes(program)
    exchanged = communication(program.as_text() or "")
    changes = np.abs(sharded["image"] - plain["image"])
    report = {
        "size": size,
        "height": problem.height,
        "devices": len(devices),
        "device": devices[0].platform,
        "loss_difference": float(difference[0]),
        "gradient_norm_difference": float(difference[1]),
        "final_loss_difference": float(difference[2]),
        "picture_mean_difference": float(changes.mean()),
        "picture_largest_difference": float(changes.max()),
        "bytes_unsharded": bytes_plain,
        "bytes_a_device": bytes_sharded,
        "memory_ratio": bytes_sharded / bytes_plain,
        "communication_bytes": exchanged,
    }
    for key, value in report.items():
        sys.stderr.write(f"{key:28} {value}\n")
    return report


def _with_devices(arguments: argparse.Namespace) -> dict[str, Any]:
    """`benchmark_sharding`, in a process of its own where devices have to be made."""
    made = "xla_force_host_platform_device_count"
    if len(jax.devices()) >= arguments.devices or made in os.environ.get("XLA_FLAGS", ""):
        return benchmark_sharding(arguments)
    flags = f"{os.environ.get('XLA_FLAGS', '')} --{made}={arguments.devices}"
    sys.stderr.flush()
    done = subprocess.run([sys.executable, *sys.argv], env=os.environ | {"XLA_FLAGS": flags})
    sys.exit(done.returncode)


def add_parser(commands: Any) -> None:
    """Register the subcommand."""
    parser = commands.add_parser("sharding", help="one picture over several devices")
    parser.add_argument("--size", type=int, default=1024, help="longest side in pixels (1024)")
    parser.add_argument("--devices", type=int, default=8, help="how many (8)")
    parser.add_argument("--weights", type=Path, help="weight file (the bundled one)")
    parser.set_defaults(run=_with_devices)
