"""Train the DenseNet-121 that ships with stylejax: distil it from BVLC GoogLeNet.

    python scripts/pretrain.py --teacher googlenet.safetensors --train train-*.zip \
        --validation val.zip --checkpoint run/ --out densenet121.safetensors --minutes 90

The same command with `--resume` goes on after a stop. The archives hold labeled 64x64 pictures as
`<class>/<number>.webp`. The learning rate follows the clock, so two runs differ in the last digits.
"""

import io
import json
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
import tyro
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from safetensors.numpy import save
from training.distillation import STAGES, Recipe, Stage, Student
from training.figures import evaluate, stem_picture
from training.googlenet import read_googlenet
from training.pictures import crops, painted_tiles, read_tiles, varied

from stylejax.images.files import replace_file
from stylejax.weights.names import state_dict_from_variables
from training import distillation

SAVE_SECONDS = 120.0
REPORT_SECONDS = 20.0
AVERAGING = 0.998
LONGEST_STEP = 10.0
SAMPLE = 512
"""Pictures from which the deviations of the teacher's channels are taken."""


@dataclass(frozen=True)
class Options:
    """Distil a DenseNet-121 for style transfer."""

    teacher: Path
    """GoogLeNet's weights, with Caffe's names."""
    train: tuple[Path, ...]
    """Zip archives of training pictures."""
    validation: Path
    """Zip archive of held-out pictures."""
    out: Path
    """The weight file to write; beside it the evaluation (.json) and the stem's filters (.png)."""
    checkpoint: Path
    """Folder of the checkpoints."""
    resume: bool = False
    """Go on from the latest checkpoint."""
    start: Path | None = None
    """Begin with the student of another run's checkpoints."""
    stages: tuple[str, ...] = tuple(stage.name for stage in STAGES)
    """The stages to run."""
    minutes: float = 90.0
    """Time to train, compiling and evaluation excluded."""
    batch: int = 32
    """Pictures a step, over all devices."""
    size: int = 64
    """Side of the crops in pixels."""
    painted: int = 8000
    """Pictures painted by program that are added to the photographs."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the products inside both networks."""
    gram: float = 0.0
    """Weight of the error of the Gram matrices."""
    adversarial: float = 0.0
    """Length of an adversarial step, root mean square a pixel."""
    seed: int = 0
    """Of everything random."""


class State(NamedTuple):
    """What a checkpoint holds, beside the place in the schedule."""

    student: Student
    average: Student
    optimizer: Any


class Clock(NamedTuple):
    """The place in the schedule: stage (index), time and steps in it; steps and pictures so far."""

    stage: int = 0
    seconds: float = 0.0
    stage_steps: int = 0
    steps: int = 0
    pictures: int = 0

    def after_step(self, seconds: float, batch: int) -> "Clock":
        """One step later. A stopped and continued process does not use up the schedule."""
        return Clock(
            stage=self.stage,
            seconds=self.seconds + min(seconds, LONGEST_STEP),
            stage_steps=self.stage_steps + 1,
            steps=self.steps + 1,
            pictures=self.pictures + batch,
        )


def learning_rate(stage: Stage, progress: float) -> float:
    """Cosine from the stage's rate to a hundredth of it, after a short warm-up."""
    warm = min(1.0, progress / 0.03)
    return stage.learning_rate * warm * (0.01 + 0.99 * (0.5 + 0.5 * np.cos(np.pi * progress)))


@jax.jit
def _averaged(average: Student, student: Student, steps: jax.Array) -> Student:
    """Exponential moving average, over fewer steps at the start of a stage."""
    keep = jnp.minimum(AVERAGING, (1.0 + steps) / (10.0 + steps))
    return jax.tree.map(lambda a, b: keep * a + (1.0 - keep) * b, average, student)


def _begin(student: Student, stage: Stage) -> State:
    learning = distillation.split_parts(student, stage)[0]
    # The step donates the student's buffers: the average needs its own.
    average = jax.tree.map(jnp.copy, student)
    return State(student, average, distillation.optimizer().init(learning))


def _manager(folder: Path) -> ocp.CheckpointManager:
    options = ocp.CheckpointManagerOptions(max_to_keep=1, create=True)
    return ocp.CheckpointManager(folder.absolute(), options=options)


def _save(manager: ocp.CheckpointManager, state: State, clock: Clock) -> None:
    learning = {"student": state.student, "optimizer": state.optimizer}
    items = {
        "learning": ocp.args.StandardSave(learning),  # type: ignore[call-arg]
        "average": ocp.args.StandardSave(state.average),  # type: ignore[call-arg]
        "clock": ocp.args.JsonSave(clock._asdict()),  # type: ignore[call-arg]
    }
    manager.save(clock.steps, args=ocp.args.Composite(**items), force=True)
    manager.wait_until_finished()


def _restore(folder: Path, **items: Any) -> Any:
    """Read items of the latest checkpoint, each in the form of its template."""
    manager = _manager(folder)
    if manager.latest_step() is None:
        raise SystemExit(f"{folder}: there is no checkpoint in it; name the folder of a run")
    return manager.restore(manager.latest_step(), args=ocp.args.Composite(**items))


def restore_average(folder: Path, template: Student) -> Student:
    """The averaged student of a run's latest checkpoint."""
    return _restore(folder, average=ocp.args.StandardRestore(template))["average"]  # type: ignore


def restore_run(folder: Path, stages: list[Stage], student: Student) -> tuple[State, Clock]:
    """A run's latest state and its place in the schedule."""
    clock = Clock(**_restore(folder, clock=ocp.args.JsonRestore())["clock"])  # type: ignore
    template = _begin(student, stages[min(clock.stage, len(stages) - 1)])
    form = {"student": template.student, "optimizer": template.optimizer}
    learning = _restore(folder, learning=ocp.args.StandardRestore(form))["learning"]  # type: ignore
    return State(average=restore_average(folder, student), **learning), clock


def _mesh() -> Mesh:
    return Mesh(np.array(jax.devices()), ("batch",))


def _everywhere(tree: Any) -> Any:
    """A copy of all of it on every device."""
    return jax.device_put(tree, NamedSharding(_mesh(), PartitionSpec()))


class Material(NamedTuple):
    """What every step reads: pictures, teacher, its channels' deviations."""

    tiles: jax.Array
    teacher: Any
    deviations: dict[str, jax.Array]


def read_material(options: Options, photographs: np.ndarray) -> Material:
    """Paint some pictures besides, and put all of them and the teacher on the devices."""
    tiles = np.concatenate([photographs, painted_tiles(options.painted, options.seed)])
    teacher = read_googlenet(options.teacher)
    key = jax.random.key(options.seed)
    sample = jax.jit(crops, static_argnums=(2, 3))(key, photographs[::20], SAMPLE, options.size)
    deviations = jax.jit(distillation.channel_deviations)(teacher, sample)
    return _everywhere(Material(jnp.asarray(tiles), teacher, deviations))


def _draw(options: Options) -> Any:
    """The pictures of one step, spread over all devices."""
    spread = NamedSharding(_mesh(), PartitionSpec("batch"))

    def draw(key: jax.Array, tiles: jax.Array) -> jax.Array:
        cut, vary = jax.random.split(key)
        pictures = varied(vary, crops(cut, tiles, options.batch, options.size))
        return jax.lax.with_sharding_constraint(pictures, spread)

    return draw


def _report(stage: Stage, errors: dict[str, float], clock: Clock, seconds: float) -> None:
    values = " ".join(f"{tap} {error:.3f}" for tap, error in errors.items())
    speed = clock.pictures / clock.steps * clock.stage_steps / clock.seconds
    left = (seconds - clock.seconds) / 60
    sys.stderr.write(
        f"{stage.name}: step {clock.steps}, {values}, {speed:.0f} pictures/s, {left:.1f} min left\n"
    )
    sys.stderr.flush()


def run_stage(
    options: Options,
    stage: Stage,
    seconds: float,
    material: Material,
    state: State,
    clock: Clock,
    save: Any,
) -> tuple[State, Clock]:
    """Train one stage for `seconds` from where its clock stands."""
    recipe = Recipe(options.gram, options.adversarial)
    dtype = jnp.dtype(options.precision)
    pure_step = distillation.training_step(stage, recipe, _draw(options), dtype)
    step = jax.jit(pure_step, donate_argnums=0)
    key = jax.random.fold_in(jax.random.key(options.seed, impl="rbg"), 1)
    compiled = None
    before = saved = reported = time.monotonic()
    running: dict[str, float] = {}
    while clock.seconds < seconds:
        rate = learning_rate(stage, clock.seconds / seconds)
        inputs = (
            (state.student, state.optimizer),
            *(material.teacher, material.deviations, material.tiles),
            *(jax.random.fold_in(key, clock.steps), jnp.float32(rate)),
        )
        if compiled is None:
            compiled = step.lower(*inputs).compile()
            before = saved = reported = time.monotonic()
        (student, optimizer), errors = compiled(*inputs)
        average = _averaged(state.average, student, jnp.float32(clock.stage_steps))
        state = State(student, average, optimizer)
        running = {t: 0.98 * running.get(t, float(e)) + 0.02 * float(e) for t, e in errors.items()}
        now = time.monotonic()
        clock = clock.after_step(now - before, options.batch)
        before = now
        if now - reported > REPORT_SECONDS:
            _report(stage, running, clock, seconds)
            reported = now
        if now - saved > SAVE_SECONDS:
            save(state, clock)
            saved = now
    return state, clock


def train(options: Options, material: Material) -> tuple[Student, Clock]:
    """Run the stages, with checkpoints; the averaged student and what it took."""
    stages = [stage for stage in STAGES if stage.name in options.stages]
    whole = sum(stage.share for stage in stages)
    manager = _manager(options.checkpoint)
    student = distillation.init_student(jax.random.key(options.seed))
    if options.start is not None:
        student = restore_average(options.start, student)
    if options.resume:
        state, clock = restore_run(options.checkpoint, stages, student)
    else:
        state, clock = _begin(student, stages[0]), Clock()
    state = _everywhere(state)
    save = partial(_save, manager)
    while clock.stage < len(stages):
        stage = stages[clock.stage]
        seconds = 60.0 * options.minutes * stage.share / whole
        state, clock = run_stage(options, stage, seconds, material, state, clock, save)
        clock = clock._replace(stage=clock.stage + 1, seconds=0.0, stage_steps=0)
        following = stages[min(clock.stage, len(stages) - 1)]
        state = _begin(state.average, following)
        save(state, clock)
    return state.average, clock


def write_weights(path: Path, student: Student, metadata: dict[str, str]) -> None:
    """Write the student without its heads: torchvision's names, float16."""
    variables = {"params": student.params, "batch_stats": student.batch_stats}
    tensors = {
        key: value.astype(np.float16) for key, value in state_dict_from_variables(variables).items()
    }
    broken = [key for key, value in tensors.items() if not np.isfinite(value).all()]
    if broken:
        raise SystemExit(f"{broken[0]}: not finite in float16; train with a lower learning rate")
    replace_file(path, save(tensors, metadata))


def _commit() -> str:
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"


def _recipes_file(checkpoint: Path) -> Path:
    return checkpoint.with_name(f"{checkpoint.name}-recipes.json")


def recipes(options: Options) -> list[dict[str, Any]]:
    """How the student has been trained: the runs that this one begins from, and this one."""
    names = ("stages", "minutes", "batch", "size", "gram", "adversarial", "seed")
    own = {name: getattr(options, name) for name in names}
    earlier = []
    if options.start is not None:
        earlier = json.loads(_recipes_file(options.start).read_text())
    return [*earlier, own]


def file_metadata(options: Options) -> dict[str, str]:
    """What the weight file says of itself; the model card tells the rest."""
    return {
        "what": "DenseNet-121 distilled from BVLC GoogLeNet for style transfer",
        "network": "densenet121",
        "names": "torchvision",
        "teacher": "BVLC GoogLeNet (ImageNet), released for unrestricted use",
        "data": "Tiny ImageNet and pictures painted by program",
        "licence": "Apache-2.0",
        "recipe": json.dumps(recipes(options)),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "commit": _commit(),
    }


def main() -> None:
    """Train, evaluate, write."""
    options = tyro.cli(Options, description=__doc__)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    replace_file(_recipes_file(options.checkpoint), json.dumps(recipes(options)).encode())
    photographs, validation = read_tiles(options.train), read_tiles([options.validation])
    material = read_material(options, photographs.tiles)
    student, clock = train(options, material)
    sample = crops(jax.random.key(options.seed), material.tiles[: len(photographs.tiles)], 512, 128)
    student = distillation.balanced(student, sample)
    report = evaluate(student, material.teacher, photographs, validation)
    report |= {"steps": clock.steps, "pictures": clock.pictures}
    write_weights(options.out, student, file_metadata(options))
    replace_file(options.out.with_suffix(".json"), json.dumps(report, indent=2).encode())
    stem = io.BytesIO()
    stem_picture(student).save(stem, "PNG")
    replace_file(options.out.with_suffix(".png"), stem.getvalue())
    sys.stdout.write(json.dumps(report) + "\n")


if __name__ == "__main__":
    main()
