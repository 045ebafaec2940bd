"""Weight files to bytes: the same tensors and metadata always give the same ones."""

import hashlib
import json
from collections.abc import Mapping

import numpy as np
from safetensors.numpy import save

_LENGTH = 8
"""Bytes that say how long the header is; its end is padded with spaces to a multiple of them."""


def tensor_bytes(tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> bytes:
    """A safetensors file, whose metadata stand in the order of their names.

    safetensors has them in an order that differs from one process to the next. The sha256 of the
    numbers is added to them as `data_sha256`, by which every reader finds out whether they are
    whole.
    """
    ordered = {name: np.asarray(tensors[name], order="C") for name in sorted(tensors)}
    content = save(ordered, dict(metadata))
    end = _LENGTH + int.from_bytes(content[:_LENGTH], "little")
    header = json.loads(content[_LENGTH:end])
    named = {**metadata, "data_sha256": hashlib.sha256(content[end:]).hexdigest()}
    entries = header | {"__metadata__": dict(sorted(named.items()))}
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _LENGTH)
    return len(text).to_bytes(_LENGTH, "little") + text + content[end:]
