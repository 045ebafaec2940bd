"""A student out of a weight file, and into one."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from stylejax.errors import InputError
from stylejax.networks.layers import DENSENET121, Architecture
from stylejax.weights.convert import Checksums, WeightFile, weight_file_bytes
from stylejax.weights.names import state_dict_from_variables
from stylejax.weights.read import (
    IMAGENET_MEAN,
    IMAGENET_STANDARD_DEVIATION,
    read_names,
    read_weights,
)
from training.distillation import Student

_EPSILON = 1e-5
_TEACHER = "BVLC GoogLeNet (ImageNet), released for unrestricted use"


def read_start(path: Path) -> tuple[Student, dict[str, str]]:
    """A student without heads, and what its file says of itself, with the file's sha256.

    Raises:
        InputError: the file cannot be read, or is not one of a DenseNet-121 in torchvision's form.
    """
    weights = read_weights(path, network="densenet121")
    preprocessing = weights.variables["preprocessing"]
    same = np.allclose(preprocessing["mean"], IMAGENET_MEAN) and np.allclose(
        preprocessing["standard_deviation"], IMAGENET_STANDARD_DEVIATION
    )
    if not same or weights.epsilon != _EPSILON:
        raise InputError(
            f"{path}: wants other pictures or another epsilon than torchvision's DenseNet-121; "
            "start from a file with torchvision's"
        )
    _, metadata = read_names(path)
    student = Student(dict(weights.variables["params"]), dict(weights.variables["batch_stats"]), {})
    return student, {**metadata, "sha256": weights.sha256}


def rounded(student: Student) -> Student:
    """The student as its file will hold it: in float16, but for the heads."""

    def half(value: Any) -> np.ndarray:
        with np.errstate(over="ignore"):
            return np.asarray(value).astype(np.float16).astype(np.float32)

    params, statistics = jax.tree.map(half, (student.params, student.batch_stats))
    return student._replace(params=params, batch_stats=statistics)


def fits(student: Student) -> bool:
    """Whether all numbers of the student's file are finite in float16."""
    half = rounded(student)
    return all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((half[0], half[1])))


def recipes(start: Mapping[str, str]) -> list[dict[str, Any]]:
    """How the numbers that a run starts from were trained, oldest first."""
    return json.loads(start.get("recipe", "[]"))


def file_metadata(
    start: Mapping[str, str],
    recipe: list[dict[str, Any]],
    data: str,
    architecture: Architecture,
) -> dict[str, str]:
    """What the weight file says of itself; the model card tells the rest."""
    metadata = {
        "what": "DenseNet-121 distilled from BVLC GoogLeNet for style transfer",
        "network": "densenet121",
        "names": "torchvision",
        "teacher": _TEACHER,
        "data": data,
        "licence": "Apache-2.0",
        "recipe": json.dumps(recipe),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }
    if architecture != DENSENET121:
        metadata["stem_channels"] = json.dumps(architecture.stem_channels)
        metadata["growth_rate"] = json.dumps(architecture.growth_rate)
    if "sha256" in start:
        metadata["start_sha256"] = start["sha256"]
    return metadata


def student_file(student: Student, metadata: dict[str, str]) -> bytes:
    """The weight file: torchvision's names, float16, the same bytes for the same numbers."""
    half = rounded(student)
    variables = {"params": half.params, "batch_stats": half.batch_stats}
    tensors = {
        key: value.astype(np.float16) for key, value in state_dict_from_variables(variables).items()
    }
    return weight_file_bytes(
        WeightFile("stylejax", "densenet121", tensors, metadata, Checksums("", ""), None)
    )
