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
from safetensors import safe_open
from safetensors.numpy import load as load_tensors

from stylejax.errors import InputError
from stylejax.images.paths import is_folder, is_special, path_exists, real_path
from stylejax.networks.architectures import ARCHITECTURES, AnyArchitecture, Architecture
from stylejax.options import NetworkName
from stylejax.types import PathLike, Variables
from stylejax.weights.names import variables_from_state_dict

MANIFEST = "manifest.json"
_LENGTH, _LARGEST_HEADER = 8, 10**8
"""Of a safetensors file: the bytes that say how long its header is, and the most that it may be."""
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
    return json.loads((bundled_folder() / MANIFEST).read_text(encoding="utf-8"))


def default_weights() -> Path:
    """The bundled weight file that is used when none is named."""
    return bundled_folder() / manifest()["default"]


def _check_file(path: Path, what: str = "weights ") -> None:
    if not path_exists(path):
        raise InputError(f"{what}{path}: no such file; name a .safetensors file")
    if is_folder(path):
        raise InputError(f"{what}{path}: is a folder; name a .safetensors file")
    if is_special(path):
        raise InputError(f"{what}{path}: is a pipe or a device; save it to a file first")


@contextlib.contextmanager
def _whole_file_errors(path: Path, what: str = "weights ") -> Iterator[None]:
    """Turn whatever a damaged file raises in the body into one line."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # safetensors and json have several of their own each.
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"{what}{path}: not a whole safetensors file ({reason}); get it again, "
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


def _content(path: Path) -> bytes:
    """All bytes of what begins as a safetensors file does; of anything else few are read."""
    with path.open("rb") as file:
        start = file.read(_LENGTH)
        if int.from_bytes(start, "little") > _LARGEST_HEADER:
            raise ValueError("it does not begin with the length of a header")
        return start + file.read()


def read_tensor_file(
    path: Path, what: str = "weights "
) -> tuple[dict[str, np.ndarray], dict[str, str], str]:
    """Tensors, metadata and sha256 of a safetensors file, which is read once and verified.

    A file that ships with the project must be the one that the manifest knows, and the numbers of
    any other those whose `data_sha256` stands in its metadata, where there is one.

    Args:
        path: the file.
        what: how messages call it, before its path.

    Raises:
        InputError: the file is missing or damaged.
    """
    _check_file(path, what)
    with _whole_file_errors(path, what):
        content = _content(path)
        tensors = load_tensors(content)
        # Behind the header's length, which the library has checked, stands the header, as JSON.
        end = _LENGTH + int.from_bytes(content[:_LENGTH], "little")
        header = json.loads(content[_LENGTH:end])
        metadata = header.pop("__metadata__", {})
        # In the file's order: the library's is another one in each run.
        tensors = {name: tensors[name] for name in header}
        data = hashlib.sha256(memoryview(content)[end:]).hexdigest()
    if metadata.get("data_sha256", data) != data:
        raise InputError(
            f"{what}{path}: the numbers are not those that were written (their sha256 is "
            f"{data[:16]}..., not {metadata['data_sha256'][:16]}...): damaged, get it again"
        )
    sha256 = hashlib.sha256(content).hexdigest()
    _check_bundled(path, what, sha256)
    return tensors, metadata, sha256


def read_tensors(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The tensors and the metadata of a safetensors file, as they are.

    Raises:
        InputError: the file is missing or damaged.
    """
    tensors, metadata, _ = read_tensor_file(path)
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


def _check_bundled(path: Path, what: str, sha256: str) -> None:
    """Check a bundled file against the manifest."""
    resolved = real_path(path)
    if resolved.parent != real_path(bundled_folder()):
        return
    entry = (manifest()["files"] | manifest()["learned"]).get(resolved.name)
    if entry is not None and entry["sha256"] != sha256:
        raise InputError(
            f"{what}{path}: sha256 is {sha256[:16]}..., the manifest says "
            f"{entry['sha256'][:16]}...; the file is damaged, install stylejax again"
        )


def _is_trained(sha256: str) -> bool:
    """Whether a file's numbers are trained ones, for all that the manifest says."""
    # A copy elsewhere, under whatever name, is still the same file.
    files = manifest()["files"].values()
    return all(known["trained"] for known in files if known["sha256"] == sha256)


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
    tensors, metadata, sha256 = read_tensor_file(path)
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
        trained=_is_trained(sha256),
    )
