"""What the page is told: methods, jobs and pictures as JSON."""

from pathlib import Path

from stylejax.errors import InputError
from stylejax.images.read import READ_SUFFIXES
from stylejax.page.form import Json
from stylejax.page.job import Job
from stylejax.page.methods import PageMethod
from stylejax.page.pictures import ShownPicture
from stylejax.page.studio import FORMATS, Studio, weights_here
from stylejax.runs.metadata import TRANSFER, read_record
from stylejax.transfer.presets import NETWORK_VALUES, PRESETS

_MOST_SHOWN = 200
"""Pictures of the gallery, the newest first."""


def _method_view(method: PageMethod) -> Json:
    return {
        "name": method.name,
        "label": method.label,
        "about": method.about,
        "groups": [group.as_json() for group in method.groups],
        "takes_styles": method.takes_styles,
        "takes_masks": method.takes_masks,
        "takes_weights": method.takes_weights,
        "has_presets": method.has_presets,
        "is_folder": method.is_folder,
    }


def form_view(studio: Studio) -> Json:
    """All that the page's controls are made from."""
    presets = {
        name: {"network": preset.network, "source": preset.source, "values": dict(preset.values)}
        for name, preset in PRESETS.items()
    }
    return {
        "methods": [_method_view(method) for method in studio.methods.values()],
        "presets": presets,
        "networks": {name: dict(values) for name, values in NETWORK_VALUES.items()},
        "weights": weights_here(),
        "formats": list(FORMATS),
        "is_watched": studio.is_watched,
    }


def picture_view(picture: ShownPicture) -> Json:
    """A picture by its id."""
    return {"id": picture.id, "name": picture.name, "is_ours": picture.is_ours}


def _named(studio: Studio, id: str | None) -> Json:
    picture = None if id is None else studio.pictures.find(id)
    return None if picture is None else picture_view(picture)


def settings_view(path: Path, studio: Studio) -> Json:
    """How a picture was made; None where it does not say.

    The pictures that it was made of are named where they are here, known by their checksums.
    """
    try:
        record = read_record(path)
        method = studio.methods[record.get("method", TRANSFER)]
        values = method.settings(path)
        known = lambda entry: studio.pictures.by_checksum.get(entry["sha256"])
        content = known(record["content"]) if "content" in record else None
        styles = [known(style) for style in record.get("styles", [])]
        masks = [known(mask) for mask in record.get("content_masks", [])]
        weights = record.get("weights", {}).get("name", "").removesuffix(".safetensors")
    except (InputError, KeyError, TypeError, AttributeError):
        return None
    return {
        "method": method.name,
        "values": values,
        "weights": weights if method.takes_weights and weights in weights_here() else "",
        "content": _named(studio, content),
        "styles": [_named(studio, id) for id in styles] if None not in styles else [],
        "content_masks": masks if None not in masks else [],
    }


def _cells_view(studio: Studio, job: Job) -> Json:
    cells = []
    for name in job.cells:
        path = job.output / f"{name}.png"
        there = name in job.finished and path.exists()
        shown = studio.pictures.show(path, path.name, is_ours=True) if there else None
        cells.append({"name": name, "picture": shown and picture_view(shown)})
    return cells


def _axes_view(studio: Studio, job: Job) -> Json:
    """The axes of a sweep; pictures are called what their senders call them."""
    names = {id: picture.name for id, picture in studio.pictures.sent.items()}
    return [axis | {"labels": [names.get(x, x) for x in axis["labels"]]} for axis in job.axes]


def result_of(studio: Studio, job: Job) -> ShownPicture | None:
    """The picture that a job has made, if it is there."""
    if not job.output.is_file():
        return None
    content = studio.pictures.find(job.form["content"])
    stem = "picture" if content is None else Path(content.name).stem
    return studio.pictures.show(job.output, f"{stem}-{job.method}{job.output.suffix}", is_ours=True)


def job_view(studio: Studio, job: Job) -> Json:
    """A job as the page shows it."""
    method, form = studio.methods[job.method], job.form
    result = None if job.is_active else result_of(studio, job)
    return {
        "id": job.id,
        "method": job.method,
        "label": method.label,
        "state": job.state,
        "stage": job.stage,
        "message": job.message,
        "made": job.made,
        "place": studio.queue.index(job) + 1 if job in studio.queue else 0,
        "values": form["values"],
        "weights": form["weights"],
        "content": _named(studio, form["content"]),
        "styles": [_named(studio, id) for id in form["styles"]],
        "content_masks": form["content_masks"],
        "result": result and picture_view(result),
        "can_stop": job.is_active,
        "can_resume": job.state in ("stopped", "failed") and not studio.is_watched,
        "is_folder": method.is_folder,
        "axes": _axes_view(studio, job),
        "cells": _cells_view(studio, job),
    }


def gallery_view(studio: Studio) -> Json:
    """The pictures of the folder, the newest first: those that jobs made, and others of ours."""
    shown = []
    for job in studio.jobs.values():
        result = None if job.is_active else result_of(studio, job)
        if result is not None:
            entry = picture_view(result) | {"job": job.id, "method": job.method}
            shown.append((result.path.stat().st_mtime, entry))
    for path in studio.folder.iterdir():
        if path.suffix.lower() not in READ_SUFFIXES or not path.is_file():
            continue
        try:
            method = read_record(path).get("method", TRANSFER)
        except InputError:
            continue
        entry = picture_view(studio.pictures.show(path, path.name))
        shown.append((path.stat().st_mtime, entry | {"job": None, "method": method}))
    newest = sorted(shown, key=lambda each: each[0], reverse=True)
    return [entry for _, entry in newest[:_MOST_SHOWN]]
