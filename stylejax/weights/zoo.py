"""The weight files that others have published: names, addresses, checksums, preprocessing, terms.

Sources: torchvision/models/densenet.py and vgg.py, the model pages of timm on the Hugging Face hub,
keras/src/applications, and Keras_Applications 1.0.8 for the older addresses. Whether the terms of
ImageNet, on whose pictures all of them were trained, bind a user is for the user to find out.
"""

import difflib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import platformdirs

from stylejax.errors import InputError
from stylejax.images.paths import path_exists
from stylejax.options import NetworkName
from stylejax.weights.read import (
    IMAGENET_MEAN,
    IMAGENET_STANDARD_DEVIATION,
    bundled_folder,
    manifest,
)

WEIGHTS_VARIABLE = "STYLEJAX_WEIGHTS"


class Preprocessing(NamedTuple):
    """What is subtracted from, and divides, a picture's red, green and blue in [0, 1]."""

    mean: tuple[float, ...]
    standard_deviation: tuple[float, ...]


IMAGENET = Preprocessing(IMAGENET_MEAN, IMAGENET_STANDARD_DEVIATION)
CAFFE = Preprocessing((123.68 / 255, 116.779 / 255, 103.939 / 255), (1 / 255,) * 3)
"""Oxford's VGG: pixel values up to 255 without their mean."""
# Of one file alone, as torchvision documents it: whole numbers, 123, 117 and 104, over 255.
_AMDEGROOT = Preprocessing((0.48235, 0.45882, 0.40784), (1 / 255,) * 3)


class PublishedFile(NamedTuple):
    """A file: the places it can be had from, best first, and its checksum.

    `sha256` is as many of the leading digits as are known; Keras gives `md5` instead. `size` is the
    length in bytes, 0 where it is not known.
    """

    name: str
    urls: tuple[str, ...] = ()
    sha256: str = ""
    md5: str = ""
    size: int = 0

    def is_it(self, sha256: str, md5: str) -> bool:
        """Whether a file with these checksums is this one."""
        if self.sha256:
            return sha256.startswith(self.sha256)
        return bool(self.md5) and md5 == self.md5


class Published(NamedTuple):
    """Weights under their known name, the file to fetch them from, and all that travels with them.

    Files on the Hugging Face hub have a `repository` and a pinned `revision` instead of addresses.
    `others` hold the same numbers and more (a classifier).
    """

    name: str
    network: NetworkName
    file: PublishedFile
    megabytes: int
    preprocessing: Preprocessing
    license: str
    repository: str = ""
    revision: str = ""
    others: tuple[PublishedFile, ...] = ()

    @property
    def most_bytes(self) -> int:
        """The length of the file, or as much as it can be where it is not known to the byte."""
        return self.file.size or (self.megabytes + 1) * 10**6

    @property
    def page(self) -> str:
        """An address at which a person finds the file."""
        if self.repository:
            return f"https://huggingface.co/{self.repository} ({self.file.name})"
        return self.file.urls[0]


_PINNED = {
    "a639ec97": ("a639ec97d7c33b07ae66f0b5fb7d0192f95a3b11b7576c66c0126c2a727c4395", 32_342_954),
    "397923af": ("397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0", 553_433_881),
    "6c64b313": ("6c64b3138f2f4fcb3bcc4cafde11619c4f440eb1631787e93a682fd88305888a", 553_507_836),
    "dcbb9e9d": ("dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44", 574_673_361),
    "c79401a0": ("c79401a0cf3cb42714e4182f5868c7a6f4f4534f5df9e956e2bb2098de41cbb6", 574_769_405),
}
"""Of torchvision's files by the digits in their names: all of the sha256, and the length in bytes.

As people who pin these files have published them, in several places that agree. Of the others the
digits in the name are known, or Keras's MD5; the hub says itself what its files must be.
"""


def _torchvision(
    name: str, network: NetworkName, file: str, megabytes: int, license: str = "BSD-3-Clause"
) -> Published:
    urls = tuple(
        f"{place}/{file}"
        for place in (
            "https://download.pytorch.org/models",
            "https://s3.amazonaws.com/pytorch/models",
        )
    )
    digits = file.removesuffix(".pth").rsplit("-", 1)[1]
    preprocessing = _AMDEGROOT if "amdegroot" in file else IMAGENET
    sha256, size = _PINNED.get(digits, (digits, 0))
    published = PublishedFile(file, urls, sha256=sha256, size=size)
    return Published(name, network, published, megabytes, preprocessing, license)


def _timm(
    name: str, network: NetworkName, repository: str, revision: str, megabytes: int, license: str
) -> Published:
    file = PublishedFile("model.safetensors")
    return Published(name, network, file, megabytes, IMAGENET, license, repository, revision)


def _keras(
    network: NetworkName,
    older: str,
    md5: str,
    whole_md5: str,
    megabytes: int,
    preprocessing: Preprocessing,
    license: str,
) -> Published:
    folder = network.removesuffix("121")
    name = f"{network}_weights_tf_dim_ordering_tf_kernels"
    google = f"https://storage.googleapis.com/tensorflow/keras-applications/{folder}"
    urls = tuple(f"{place}/{name}_notop.h5" for place in (google, older))
    file = PublishedFile(f"{name}_notop.h5", urls, md5=md5)
    whole = PublishedFile(f"{name}.h5", md5=whole_md5)
    known = f"{network}-keras"
    return Published(known, network, file, megabytes, preprocessing, license, others=(whole,))


_KERAS_RELEASES = "https://github.com/keras-team/keras-applications/releases/download/densenet"
_CHOLLET_RELEASES = "https://github.com/fchollet/deep-learning-models/releases/download/v0.1"
_OXFORD = "CC-BY-4.0 (Oxford)"

PUBLISHED = {
    published.name: published
    for published in (
        _torchvision("densenet121-torchvision", "densenet121", "densenet121-a639ec97.pth", 32),
        _timm(
            "densenet121-timm-tv",
            "densenet121",
            "timm/densenet121.tv_in1k",
            "d42603a",
            32,
            "Apache-2.0",
        ),
        _timm(
            "densenet121-timm-ra",
            "densenet121",
            "timm/densenet121.ra_in1k",
            "e65bed9",
            32,
            "Apache-2.0",
        ),
        _keras(
            "densenet121",
            _KERAS_RELEASES,
            "30ee3e1110167f948a6b9946edeeb738",
            "9d60b8095a5708f2dcce2bca79d332c7",
            29,
            IMAGENET,
            "BSD-3-Clause",
        ),
        _torchvision("vgg16-torchvision", "vgg16", "vgg16-397923af.pth", 553),
        _torchvision("vgg16-bn-torchvision", "vgg16", "vgg16_bn-6c64b313.pth", 554),
        _torchvision("vgg16-caffe", "vgg16", "vgg16_features-amdegroot-88682ab5.pth", 553, _OXFORD),
        # No revision is known to us: the newest is taken, and written into the metadata.
        _timm("vgg16-timm", "vgg16", "timm/vgg16.tv_in1k", "", 553, "BSD-3-Clause"),
        _keras(
            "vgg16",
            _CHOLLET_RELEASES,
            "6d6bbae143d832006294945121d1f1fc",
            "64373286793e3c8b2b4e3219cbf3544b",
            59,
            CAFFE,
            _OXFORD,
        ),
        _torchvision("vgg19-torchvision", "vgg19", "vgg19-dcbb9e9d.pth", 575),
        _torchvision("vgg19-bn-torchvision", "vgg19", "vgg19_bn-c79401a0.pth", 575),
        _timm("vgg19-timm", "vgg19", "timm/vgg19.tv_in1k", "128d470", 575, "BSD-3-Clause"),
        _keras(
            "vgg19",
            _CHOLLET_RELEASES,
            "253f8cb515780f3b799900260a226db6",
            "cbe5617147190e668d6c5d5026f83318",
            80,
            CAFFE,
            _OXFORD,
        ),
    )
}
"""By the name that `stylejax weights fetch` and `--weights` take."""


def published_files() -> Iterator[tuple[Published, PublishedFile]]:
    """Each file whose checksum is known, with what it belongs to."""
    for published in PUBLISHED.values():
        for file in (published.file, *published.others):
            if file.sha256 or file.md5:
                yield published, file


def cached_path(name: str) -> Path:
    """Where `stylejax weights fetch` puts the weights of a known name."""
    return platformdirs.user_cache_path("stylejax") / "weights" / f"{name}.safetensors"


def bundled_painter() -> Path:
    """The weight file of the learned styles that ship with stylejax."""
    return bundled_folder() / "styles.safetensors"


def weights_rows() -> Iterator[tuple[str, str, str, str, str]]:
    """All weights that can be named: name, network, where they are, size, license."""
    for file, entry in manifest()["files"].items():
        size = f"{(bundled_folder() / file).stat().st_size / 1e6:.1f} MB"
        network = file.split("-")[0]
        yield file.removesuffix(".safetensors"), network, "bundled", size, entry["licence"]
    for name, published in PUBLISHED.items():
        here = "fetched" if path_exists(cached_path(name)) else "not here"
        yield name, published.network, here, f"{published.megabytes} MB", published.license


def published_weights(name: str) -> Published:
    """The entry of a known name.

    Raises:
        InputError: nothing is known by this name; the message offers the nearest ones.
    """
    if name in PUBLISHED:
        return PUBLISHED[name]
    nearest = difflib.get_close_matches(name, PUBLISHED, n=3, cutoff=0.4)
    hint = f"did you mean {', '.join(nearest)}? " if nearest else ""
    raise InputError(f"unknown weights {name!r}: {hint}`stylejax weights list` lists all names")


def find_weights(given: Path | None) -> Path | None:
    """The file that is meant by a path or known name, or by `STYLEJAX_WEIGHTS` where none is given.

    None is the bundled default. A file goes before a known name.

    Raises:
        InputError: the weights of that name are not here yet; nothing is fetched unasked.
    """
    if given is None:
        variable = os.environ.get(WEIGHTS_VARIABLE, "")
        if not variable:
            return None
        given = Path(variable)
    name = str(given)
    if path_exists(given):
        return given
    bundled = f"{name}.safetensors"
    if bundled in manifest()["files"]:
        return bundled_folder() / bundled
    if name not in PUBLISHED:
        if given.suffix or given.parent != Path():
            return given
        published_weights(name)
    if not path_exists(cached_path(name)):
        raise InputError(f"weights {name} are not here yet: run `stylejax weights fetch {name}`")
    return cached_path(name)
