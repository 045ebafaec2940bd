"""The commands that print what there is, most of them without JAX."""

import re

from stylejax.cli.interrupts import INTERRUPTED
from stylejax.cli.listing_commands import (
    ConvertWeights,
    FetchWeights,
    Layers,
    ListWeights,
    Presets,
    Show,
    VerifyWeights,
    WeightFiles,
)
from stylejax.cli.screen import complain, print_table, print_text
from stylejax.errors import InputError
from stylejax.images.paths import guarded_path
from stylejax.networks.architectures import ARCHITECTURES, layer_table
from stylejax.runs.metadata import read_record
from stylejax.runs.own_presets import preset_rows, presets_folder
from stylejax.strict_json import json_text
from stylejax.weights.zoo import find_weights, weights_rows


def list_layers(command: Layers) -> int:
    """Print a network's layers; returns the exit code."""
    match = re.fullmatch(r"([1-9]\d{0,5})(?:x([1-9]\d{0,5}))?", command.size)
    if match is None:
        raise InputError(f"--size {command.size}: give a number, or width x height as 640x480")
    width = int(match[1])
    height = int(match[2] or width)
    table = layer_table(ARCHITECTURES[command.network])
    schemes = {"papers": "paper", "Keras": "keras", "torchvision": "torchvision"}
    if command.network == "densenet121":
        del schemes["papers"]
    header = (*schemes, "channels", "shape", "stride", "receptive field")
    rows: list[tuple[str, ...]] = [header]
    for layer in table.values():
        shape = f"{-(-height // layer.stride)} x {-(-width // layer.stride)} x {layer.channels}"
        numbers = (str(layer.channels), shape, str(layer.stride), str(layer.receptive_field))
        names = (getattr(layer, scheme) or "-" for scheme in schemes.values())
        rows.append((*names, *numbers))
    print_table(rows)
    return 0


def show_record(command: Show) -> int:
    """Print what a picture was made with; returns the exit code."""
    print_text(json_text(read_record(command.picture), indent=2))
    return 0


def list_presets(command: Presets) -> int:
    """Print the presets, or where one's own are; returns the exit code."""
    if command.folder:
        folder = presets_folder()
        with guarded_path(folder, "make it by hand"):
            folder.mkdir(parents=True, exist_ok=True)
        print_text(f"{folder}")
    else:
        print_table([("name", "network", "source"), *preset_rows()])
    return 0


def run_weights(command: WeightFiles) -> int:
    """List, fetch, convert or verify weight files; returns the exit code."""
    match command.action:
        case ListWeights():
            print_table([("name", "network", "where", "size", "licence"), *weights_rows()])
        case FetchWeights(name):
            from stylejax.cli.display import download_display
            from stylejax.weights.fetch import fetch_weights

            try:
                with download_display(name) as progress:
                    fetched = fetch_weights(name, progress)
            except KeyboardInterrupt:
                complain(f"interrupted: nothing of {name} is kept")
                return INTERRUPTED
            there = "is here already" if fetched.already_here else "fetched"
            print_text(f"{name} {there}: {fetched.path}")
        case ConvertWeights(file, output):
            from stylejax.runs.foreign_file import convert_any

            print_text(f"{output}: {convert_any(file, output)}")
        case VerifyWeights(file):
            from stylejax.runs.foreign_file import describe_any

            print_text("\n".join(describe_any(find_weights(file) or file)))
    return 0
