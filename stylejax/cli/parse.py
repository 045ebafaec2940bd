"""From the words of the command line to a command: the one place that tyro is used.

The commands are plain dataclasses. What tyro has to know besides them is said here: which fields
are given without a flag, what stands for several values, and from where defaults come.
"""

import contextlib
import dataclasses
import inspect
import io
import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import NoneType
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin, get_type_hints

import tyro
from tyro.constructors import (
    PrimitiveConstructorSpec,
    PrimitiveTypeInfo,
    StructConstructorSpec,
    StructFieldSpec,
    StructTypeInfo,
)

from stylejax.cli.commands import (
    COMMANDS,
    TRAIN_COMMANDS,
    WEIGHTS_COMMANDS,
    Command,
    Train,
    Transfer,
    Universal,
    WeightFiles,
)
from stylejax.cli.defaults import Defaults, defaults_for
from stylejax.cli.repeat import is_given, with_recorded_files
from stylejax.cli.screen import print_screen
from stylejax.errors import InputError
from stylejax.fields import Bounds
from stylejax.runs.repeated import Repeated

Type = Any
"""A type in any form that an annotation may have, unions and `Annotated` among them."""
_DESCRIPTION = """Neural style transfer with DenseNet-121 or VGG and L-BFGS in JAX.

Examples:
    stylejax demo
    stylejax transfer photo.jpg painting.jpg -o out.png
    stylejax --version
"""
# In columns; longer lines are hard to read, however wide the terminal is.
_WIDEST_TEXT = 100
_FLAGS = {"content_masks": "content-mask", "style_masks": "style-mask"}
"""Flags that are not named as their fields: each takes all files after it."""
_GROUPS = {
    "options": "",
    "solve": "solver",
    "transfer": "universal",
    "paint": "styles",
    "paper": "print",
}
"""What a group of options is called in the help."""
_SEVERAL = {"styles": "STYLE ...", "photos": "PHOTO ...", "paintings": "PAINTING ..."}
"""What stands for positional arguments of which there may be several."""
_OF_SEVERAL: Mapping[type, Mapping[str, type]] = {
    WeightFiles: WEIGHTS_COMMANDS,
    Train: TRAIN_COMMANDS,
}
"""Commands that have commands of their own."""


def _comma_separated(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec | None:
    """Read tuples of names or numbers from one argument: 3,1."""
    if info.type not in (tuple[str, ...], tuple[float, ...], tuple[int, ...]):
        return None
    element = get_args(info.type)[0]
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar="NAME,..." if element is str else "X,...",
        instance_from_str=lambda given: tuple(
            element(part.strip()) for part in given[0].split(",") if part.strip()
        ),
        is_instance=lambda value: isinstance(value, tuple),
        str_from_instance=lambda value: [",".join(str(part) for part in value)],
    )


def _slash_separated(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec | None:
    """Read several tuples of numbers from one argument: 3,1/1,1."""
    if info.type != tuple[tuple[float, ...], ...]:
        return None
    numbers = lambda part: tuple(float(x.strip()) for x in part.split(",") if x.strip())
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar="X,.../X,...",
        instance_from_str=lambda given: tuple(map(numbers, given[0].split("/"))),
        is_instance=lambda value: isinstance(value, tuple),
        str_from_instance=lambda value: ["/".join(",".join(map(str, part)) for part in value)],
    )


def _metavar(kind: Type) -> str | None:
    """What stands for a value that may be left out; tyro's own word where it may not."""
    kinds = get_args(kind)
    if NoneType not in kinds:
        return None
    (kind,) = (each for each in kinds if each is not NoneType)
    choices = ",".join(map(str, get_args(kind))) if get_origin(kind) is Literal else ""
    return f"{{{choices}}}" if choices else kind.__name__.upper()


def _hint(bounds: Bounds | None, default: str) -> str:
    """What is said behind the help: what a number may be, and the default where there is one."""
    said = [] if bounds is None else [str(bounds)]
    if default not in ("", "''", "None", "True", "False"):
        said.append(f"default: {default}")
    return f"({'; '.join(said)})" if said else ""


def _flag(entry: dataclasses.Field, kind: Type, *, default_is_on: bool) -> Type:
    """The type of a field, with what tyro has to know of its flag.

    A switch that is on by default, as a repeated run may have it, can be given either way.
    """
    if dataclasses.is_dataclass(kind):
        return Annotated[kind, tyro.conf.arg(name=_GROUPS.get(entry.name))]
    if kind is bool and not default_is_on:
        kind = tyro.conf.FlagCreatePairsOff[kind]
    hint = lambda default: _hint(entry.metadata["bounds"], default)
    said: dict[str, Any] = {"metavar": _metavar(kind), "help_behavior_hint": hint}
    required = entry.default is entry.default_factory is dataclasses.MISSING
    if entry.name == "output":
        return Annotated[kind, tyro.conf.arg(aliases=["-o"], **said)]
    if not (required or entry.metadata.get("positional")):
        return Annotated[kind, tyro.conf.arg(name=_FLAGS.get(entry.name), **said)]
    said["metavar"] = _SEVERAL.get(entry.name, entry.name.upper())
    return Annotated[tyro.conf.Positional[kind], tyro.conf.arg(**said)]


def _default(entry: dataclasses.Field) -> object:
    """A field's own default, `tyro.MISSING` where there is none."""
    return tyro.MISSING if entry.default is dataclasses.MISSING else entry.default


def _fields_rule(
    defaults: Defaults, arguments: Sequence[str]
) -> Callable[[StructTypeInfo], StructConstructorSpec | None]:
    """How tyro is to read our dataclasses."""

    def rule(info: StructTypeInfo) -> StructConstructorSpec | None:
        # tyro has dataclasses of its own.
        ours = getattr(info.type, "__module__", "").startswith("stylejax.")
        if not (ours and isinstance(info.type, type) and dataclasses.is_dataclass(info.type)):
            return None
        if info.type in _OF_SEVERAL:
            choices = _OF_SEVERAL[info.type]
            commands = tyro.conf.OmitSubcommandPrefixes[_union(choices, arguments[1:])]
            action = StructFieldSpec("action", commands, tyro.MISSING)
            return StructConstructorSpec(info.type, (action,))
        types = get_type_hints(info.type)
        given = defaults.get(info.type, {})
        specs = [
            StructFieldSpec(
                entry.name,
                _flag(entry, types[entry.name], default_is_on=given.get(entry.name) is True),
                given.get(entry.name, _default(entry)),
                entry.metadata.get("help"),
            )
            for entry in dataclasses.fields(info.type)
            if entry.init and not entry.metadata.get("unasked")
        ]
        return StructConstructorSpec(info.type, tuple(specs))

    return rule


def _described(text: str) -> str:
    """A command's help, wrapped for the terminal, with its examples."""
    text, _, examples = text.partition("Examples:\n")
    width = min(shutil.get_terminal_size().columns, _WIDEST_TEXT)
    # tyro keeps the line breaks before spaces and empty lines, and no others.
    wrap = lambda paragraph: textwrap.fill(paragraph, width, subsequent_indent="  ")
    lines = ["Examples:", *(f"  {line.strip()}" for line in examples.strip().splitlines())]
    return "\n\n".join([*map(wrap, text.strip().split("\n\n")), "\n".join(lines)])


def _union(commands: Mapping[str, type], arguments: Sequence[str]) -> Type:
    """Any of the commands; the one that is named has all of its help, the others a sentence."""
    described = []
    for name, kind in commands.items():
        text = inspect.getdoc(kind) or ""
        sentence = " ".join(text.split("\n\n")[0].split())
        text = _described(text) if [name] == list(arguments[:1]) else sentence
        described.append(Annotated[kind, tyro.conf.subcommand(name, description=text)])
    return Union[tuple(described)]  # noqa: UP007 - the members are known only now


@contextlib.contextmanager
def _one_line_errors() -> Iterator[None]:
    """Turn tyro's framed messages into one line; help and completion pass through untouched."""
    framed = io.StringIO()
    try:
        with contextlib.redirect_stderr(framed):
            yield
    except SystemExit as end:
        if end.code not in (0, None):
            # Below the title stands the message, and below a rule what tyro has to say besides;
            # where the frame is not drawn in Unicode, a rule is above the message as well.
            inside = "\n".join(line.strip("│ ") for line in framed.getvalue().splitlines()[1:])
            parts = (" ".join(part.split()) for part in re.split(r"^[─-]{2,}$", inside, flags=re.M))
            message = next(filter(None, parts), " ".join(framed.getvalue().split()))
            raise InputError(f"{message} (`stylejax --help` tells more)") from end
        raise


class _Screen(io.StringIO):
    """What is shown, kept until it can be changed; colored where the terminal is."""

    def isatty(self) -> bool:
        return sys.__stdout__ is not None and sys.__stdout__.isatty()


@contextlib.contextmanager
def _short_usage() -> Iterator[None]:
    """Say COMMAND in place of a list of all commands, which is too long for a line of usage."""
    screen = _Screen()
    try:
        with contextlib.redirect_stdout(screen):
            yield
    finally:
        print_screen(screen.getvalue().replace(f"{{{','.join(COMMANDS)}}}", "COMMAND", 1))


def _defaults(arguments: Sequence[str]) -> tuple[Defaults, Repeated | None]:
    """The defaults of this run and what it repeats; help is given without, if need be."""
    try:
        return defaults_for(arguments)
    except InputError:
        if not {"-h", "--help"} & set(arguments):
            raise
        return {}, None


def _check_trained(given: str) -> None:
    """Refuse to train what cannot be trained: the names are all that would help.

    Raises:
        InputError: says what can.
    """
    if given not in (*TRAIN_COMMANDS, "-h"):
        names = " or ".join(f"train {name}" for name in TRAIN_COMMANDS)
        raise InputError(f"train {given}: say what is trained: {names}")


def _enlarged_print(command: Command, arguments: Sequence[str]) -> Command:
    """A size on the line goes before the one that a print would choose, and is enlarged to it."""
    if not isinstance(command, Transfer | Universal) or not command.paper.print:
        return command
    if not is_given(arguments, "--size"):
        return command
    paper = dataclasses.replace(command.paper, is_enlarged=True)
    return dataclasses.replace(command, paper=paper)


def parse_command(arguments: Sequence[str]) -> Command:
    """Turn command-line arguments into one of the commands.

    Raises:
        InputError: the arguments make no sense.
        SystemExit: help was asked for.
    """
    for flag in ("--content-mask", "--style-mask"):
        if sum(argument.split("=")[0] == flag for argument in arguments) > 1:
            raise InputError(f"{flag} is given twice: name all files after one")
    if list(arguments[:1]) == ["train"] and list(arguments[1:2]) != ["--help"]:
        _check_trained(arguments[1] if arguments[1:] else "nothing")
    registry = tyro.constructors.ConstructorRegistry()
    registry.primitive_rule(_comma_separated)
    registry.primitive_rule(_slash_separated)
    defaults, repeated = _defaults(arguments)
    registry.struct_rule(_fields_rule(defaults, arguments))
    with _one_line_errors(), _short_usage(), registry:
        command = tyro.cli(
            _union(COMMANDS, arguments),
            prog="stylejax",
            description=_described(_DESCRIPTION),
            args=list(arguments),
            config=(tyro.conf.OmitArgPrefixes,),
        )
    if repeated is not None:
        names = defaults.get(type(command), {})
        command = with_recorded_files(cast(Command, command), repeated, names, arguments)
    return _enlarged_print(cast(Command, command), arguments)
