"""Weight files: find, verify, read.

A weight file is a safetensors file with torchvision's parameter names; what a picture must look
like before it enters the network (mean and scale of each RGB channel), batch norm's epsilon and
any departure from the network's widths stand in the file's metadata. Files that ship with the
project are listed in `manifest.json` beside them, with sha256, source and license.
The metadata also say which network it is; where they do not, the keys do.
"""

import contextlib
import hashlib
import json
from collections.abc import Iterable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load as load_tensors

from stylejax.errors import InputError
from stylejax.networks.layers import ARCHITECTURES, AnyArchitecture, Architecture
from stylejax.options import NetworkName
from stylejax.types import PathLike, Variables
from stylejax.weights.names import variables_from_state_dict

MANIFEST = "manifest.json"
# Of red, green and blue of ImageNet's pictures in [0, 1], as torchvision's networks know them.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STANDARD_DEVIATION = (0.229, 0.224, 0.225)


class Weights(NamedTuple):
    """A network's numbers and what is known of their file.

    `variables` is the pytree that the network computes with; `architecture` and `epsilon` are the
    static facts that fix its shapes and arithmetic, `architecture.network` says which network it
    is. `trained` is False for files of random numbers.
    """

    variables: Variables
    architecture: AnyArchitecture
    epsilon: float
    name: str
    sha256: str
    trained: bool


def bundled_folder() -> Path:
    """The folder of the weights that ship with the project.

    In an installed package it is `stylejax/_weights`; in a checkout, and in an editable install
    of one, it is `weights` beside the package.

    Raises:
        InputError: neither is there (a broken installation).
    """
    package = Path(str(resources.files("stylejax")))
    for folder in (package / "_weights", package.parent / "weights"):
        if (folder / MANIFEST).is_file():
            return folder
    raise InputError(f"no bundled weights in {package}: install stylejax again, or pass --weights")


def manifest() -> dict[str, Any]:
    """The manifest of the bundled weights: `default`, and `files` by name."""
    return json.loads((bundled_folder() / MANIFEST).read_text())


def default_weights() -> Path:
    """The bundled weight file that is used when none is named."""
    return bundled_folder() / manifest()["default"]


def _check_file(path: Path) -> None:
    if not path.exists():
        raise InputError(f"weights {path}: no such file; name a .safetensors file")
    if path.is_dir():
        raise InputError(f"weights {path}: is a folder; name a .safetensors file")


@contextlib.contextmanager
def _whole_file_errors(path: Path) -> Iterator[None]:
    """Turn whatever a damaged file raises in the body into one line."""
    try:
        yield
    except (SafetensorError, OSError, AttributeError, TypeError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"weights {path}: not a whole safetensors file ({reason}); get it again, "
            "or run `stylejax weights convert` on it if it is torch's or Keras's"
        ) from error


def read_names(path: Path) -> tuple[list[str], dict[str, str]]:
    """The tensors' names and the metadata of a safetensors file, from its header alone.

    Raises:
        InputError: the file is missing or damaged.
    """
    _check_file(path)
    with _whole_file_errors(path), safe_open(path, framework="numpy") as file:
        return list(file.keys()), file.metadata() or {}


def _read_tensors(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str], str]:
    """Tensors, metadata and sha256 of a safetensors file, which is read once."""
    _check_file(path)
    with _whole_file_errors(path):
        content = path.read_bytes()
        tensors = load_tensors(content)
        # Behind the header's length, which the library has checked, stands the header, as JSON.
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        metadata = header.pop("__metadata__", {})
    # In the file's order: the library's is another one in each run.
    tensors = {name: tensors[name] for name in header}
    return tensors, metadata, hashlib.sha256(content).hexdigest()


def read_tensors(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The tensors and the metadata of a safetensors file, as they are.

    Raises:
        InputError: the file is missing or damaged.
    """
    tensors, metadata, _ = _read_tensors(path)
    return tensors, metadata


def _metadata_entry(path: Path, metadata: dict[str, str], key: str, default: Any) -> Any:
    """A number or list of numbers written as JSON text in the file's metadata.

    All but the mean must be positive.
    """
    if key not in metadata:
        return default
    try:
        value = json.loads(metadata[key])
        fits = np.shape(value) == np.shape(default) and np.all(np.isfinite(value))
        if fits and (key == "mean" or np.min(value) > 0):
            return value
    except (ValueError, TypeError):
        pass
    raise InputError(
        f"weights {path}: metadata {key!r} is {metadata[key]!r}, expected something like "
        f"{json.dumps(default)}; convert the file again"
    )


def _network(path: Path, keys: Iterable[str], metadata: dict[str, str]) -> NetworkName:
    """Which network a file holds: what its metadata say, else what its keys look like."""
    keys = set(keys)
    named = metadata.get("network")
    if named is None:
        # The third block of VGG-19 has a fourth convolution, where VGG-16 has a pool.
        vgg: NetworkName = "vgg19" if "features.16.weight" in keys else "vgg16"
        return vgg if "features.0.weight" in keys else "densenet121"
    for network in ARCHITECTURES:
        if network == named:
            return network
    raise InputError(
        f"weights {path}: metadata 'network' is {named!r}, expected one of "
        f"{', '.join(ARCHITECTURES)}; convert the file again"
    )


def _architecture(path: Path, network: NetworkName, metadata: dict[str, str]) -> AnyArchitecture:
    standard = ARCHITECTURES[network]
    widths = standard._asdict()
    names = ["stem_channels", "growth_rate"]
    if not isinstance(standard, Architecture):
        names = ["block_channels"]
    for name in names:
        value = _metadata_entry(path, metadata, name, widths[name])
        widths[name] = int(value) if np.ndim(value) == 0 else tuple(map(int, value))
    return type(standard)(**widths)


def _verify(path: Path, sha256: str) -> bool:
    """Check a bundled file against the manifest; returns whether its numbers are trained ones."""
    files, resolved = manifest()["files"], path.resolve()
    bundled = resolved.parent == bundled_folder().resolve()
    entry = files.get(resolved.name) if bundled else None
    if entry is not None and entry["sha256"] != sha256:
        raise InputError(
            f"weights {path}: sha256 is {sha256[:16]}..., the manifest says "
            f"{entry['sha256'][:16]}...; the file is damaged, install stylejax again"
        )
    # A copy elsewhere, under whatever name, is still the same file.
    return all(known["trained"] for known in files.values() if known["sha256"] == sha256)


def read_network(path: Path) -> NetworkName:
    """Which network a weight file holds, without reading its tensors.

    Raises:
        InputError: the file is missing or damaged.
    """
    return _network(path, *read_names(path))


def read_weights(path: PathLike | None = None, *, network: NetworkName | None = None) -> Weights:
    """Read a weight file, the bundled one unless `path` names another.

    Args:
        path: a safetensors file with torchvision's names.
        network: which network it must hold; whatever it holds unless given.

    Raises:
        InputError: the file is missing, damaged, of another network, or not whole (the first
            offending key is named), or holds numbers that are not finite.
    """
    if path is None and network not in (None, "densenet121"):
        raise InputError(
            f"no {network} weights are bundled: name a file with --weights (made by "
            "`stylejax weights convert` or `stylejax weights fetch`)"
        )
    path = default_weights() if path is None else Path(path)
    tensors, metadata, sha256 = _read_tensors(path)
    trained = _verify(path, sha256)
    held = _network(path, tensors, metadata)
    if network not in (None, held):
        raise InputError(
            f"weights {path}: hold a {held}, but a {network} is asked for (by --network, --preset "
            f"or --like): name a {network} file with --weights"
        )
    architecture = _architecture(path, held, metadata)
    try:
        variables = dict(variables_from_state_dict(tensors, architecture))
    except InputError as error:
        raise InputError(f"weights {path}: {error}") from error
    mean = _metadata_entry(path, metadata, "mean", IMAGENET_MEAN)
    deviation = _metadata_entry(path, metadata, "standard_deviation", IMAGENET_STANDARD_DEVIATION)
    variables["preprocessing"] = {
        "mean": np.asarray(mean, np.float32),
        "standard_deviation": np.asarray(deviation, np.float32),
    }
    return Weights(
        variables=variables,
        architecture=architecture,
        epsilon=float(_metadata_entry(path, metadata, "epsilon", 1e-5)),
        name=path.name,
        sha256=sha256,
        trained=trained,
    )
