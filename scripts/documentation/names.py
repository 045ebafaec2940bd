"""The reference: every public name of the library, with what its docstring says."""

import ast
import inspect
import re
from dataclasses import dataclass, fields, is_dataclass
from importlib import import_module
from pathlib import Path

import stylejax

_TITLES = {
    "images": "Pictures",
    "networks": "Networks",
    "weights": "Weights",
    "losses": "Losses",
    "solvers": "Solvers",
    "transfer": "One transfer",
    "universal": "Universal transfer",
    "feedforward": "Learned styles",
    "superresolution": "Enlarging",
    "sweep": "Sweeps",
    "devices": "Devices",
    "runs": "From files to files",
    "page": "The page",
    "options": "Options",
    "errors": "Errors",
}
"""What the names of a package or module are about, in the order of the page."""
_PACKAGES = [name for name in _TITLES if name not in ("options", "errors")]


@dataclass(frozen=True)
class PublicName:
    """A name that users may rely on.

    Attributes:
        module: where it is imported from.
        name: what it is called.
        value: what it is.
        home: the part of the package that defines it.
    """

    module: str
    name: str
    value: object
    home: str

    @property
    def is_plain(self) -> bool:
        """Whether it is a constant or an alias of a type, which hold no docstring themselves."""
        named = getattr(self.value, "__name__", None) == self.name
        return not (named and (inspect.isclass(self.value) or callable(self.value)))

    @property
    def text(self) -> str:
        """Its docstring; that of a constant stands below it in its file."""
        if self.is_plain:
            return _text_below(self.module, self.name)
        text = inspect.cleandoc(self.value.__doc__ or "")
        # What Python writes itself, of a dataclass or a NamedTuple, is none.
        return "" if text.startswith(f"{self.name}(") else text


def _text_below(module: str, name: str) -> str:
    """The string below the assignment of a name, in any file of a package."""
    folder = Path(inspect.getfile(import_module(module))).parent
    for path in sorted(folder.rglob("*.py")):
        body = ast.parse(path.read_text()).body
        for statement, below in zip(body, body[1:], strict=False):
            targets = statement.targets if isinstance(statement, ast.Assign) else []
            targets += [statement.target] if isinstance(statement, ast.AnnAssign) else []
            if any(isinstance(target, ast.Name) and target.id == name for target in targets):
                value = below.value if isinstance(below, ast.Expr) else None
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    return inspect.cleandoc(value.value)
    return ""


def library_names() -> list[PublicName]:
    """Those of `stylejax` itself."""
    return [_named("stylejax", name) for name in stylejax.__all__]


def package_names() -> list[PublicName]:
    """Those of the packages within that `stylejax` itself does not have."""
    above = set(stylejax.__all__)
    found = []
    for package in _PACKAGES:
        module = f"stylejax.{package}"
        names = import_module(module).__all__
        found += [_named(module, name) for name in names if name not in above]
    return [*found, _named("stylejax.notebook", "NotebookProgress")]


def _named(module: str, name: str) -> PublicName:
    value = getattr(import_module(module), name)
    home = getattr(value, "__module__", "") or ""
    if module != "stylejax":
        home = module
    elif not home.startswith("stylejax."):
        home = "stylejax.images"
    return PublicName(module, name, value, home.split(".")[1])


def reference(names: list[PublicName]) -> str:
    """Sections of Markdown with what autodoc is to say of each name.

    Raises:
        ValueError: a name has no docstring.
    """
    bare = [f"{each.module}.{each.name}" for each in names if not each.text]
    if bare:
        raise ValueError(f"public names without a docstring: {', '.join(bare)}")
    sections = []
    for home in dict.fromkeys([*_TITLES, *(each.home for each in names)]):
        here = [each for each in names if each.home == home]
        if here:
            title = _TITLES.get(home, home.capitalize())
            body = "\n\n".join(map(_directive, here))
            sections.append(f"## {title}\n\n```{{eval-rst}}\n{body}\n```\n")
    return "\n".join(sections)


def _directive(each: PublicName) -> str:
    path = f"{each.module}.{each.name}"
    if each.is_plain:
        text = "\n   ".join(escaped(each.text.splitlines()))
        return f".. py:data:: {path}\n\n   {text}"
    if inspect.isclass(each.value):
        return f".. autoclass:: {path}\n   :members:"
    return f".. autofunction:: {path}"


def escaped(lines: list[str]) -> list[str]:
    """Lines of a docstring in which nothing but code means anything to reStructuredText."""
    marks = lambda text: re.sub(r"[*|]|(?<=\w)_(?!\w)", lambda found: "\\" + found[0], text)
    # Every other part stands between backticks; a letter right behind them is held apart.
    apart = lambda text: re.sub(r"^(?=\w)", r"\\ ", text)
    parts = [line.split("`") for line in lines]
    return [
        "`".join(
            part if number % 2 else apart(marks(part)) if number else marks(part)
            for number, part in enumerate(line)
        )
        for line in parts
    ]


def with_options(value: object, lines: list[str]) -> list[str]:
    """A docstring's lines, and below them the help of a dataclass's options."""
    if not (inspect.isclass(value) and is_dataclass(value)):
        return lines
    helped = [(each.name, each.metadata.get("help")) for each in fields(value)]
    entries = [f"    {name}: {text}" for name, text in helped if text]
    return [*lines, "", "Attributes:", *entries, ""] if entries else lines
