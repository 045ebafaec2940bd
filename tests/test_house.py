"""How the package is built: who imports whom, how long things are, what packages say."""

import ast
import re
from functools import cache
from importlib import import_module
from inspect import cleandoc
from pathlib import Path

import pytest

import stylejax

# The way through the house: a package imports only from those before it.
HOUSE = """
version errors lazy types array_types fields sizes options strict_json
images
networks
weights
losses
solvers
devices
transfer
universal
feedforward
superresolution
sweep
api
runs
page notebook
cli
__main__
"""
# Of modules and functions in lines, and of `Any` in all of the package.
LONGEST_MODULE, LONGEST_FUNCTION, MOST_ANY = 300, 60, 100

PACKAGE = Path(stylejax.__file__).parent
SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"
MODULES = sorted(PACKAGE.rglob("*.py"))
PACKAGES = [path for path in MODULES if path.name == "__init__.py"]
PROGRAMS = sorted(SCRIPTS.rglob("*.py"))
# Scripts that are longer still; none may join them.
LONG_SCRIPTS = {"distillation", "pretrain"}


@cache
def nodes(path):
    return list(ast.walk(ast.parse(path.read_text())))


def module_name(path, folder=PACKAGE):
    return ".".join(path.relative_to(folder).with_suffix("").parts)


def module_lengths(paths, folder):
    return {module_name(path, folder): len(path.read_text().splitlines()) for path in paths}


def imported(path):
    """Of the package's own modules: (module, name imported from it)."""
    for node in nodes(path):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "stylejax":
            module = (node.module or "").removeprefix("stylejax").removeprefix(".")
            yield from ((module, name.name) for name in node.names)
        elif isinstance(node, ast.Import):
            for name in node.names:
                assert not name.name.startswith("stylejax"), f"{path.name}: use `from ... import`"


def test_a_package_imports_only_from_those_before_it():
    floors = [line.split() for line in HOUSE.strip().splitlines()]
    level = {name: floor for floor, names in enumerate(floors) for name in names}
    modules = [path for path in MODULES if path != PACKAGE / "__init__.py"]
    assert set(level) == {module_name(path).split(".")[0] for path in modules}

    for path in modules:
        own = module_name(path).split(".")[0]
        for module, name in imported(path):
            assert module or name in level, f"{path} imports the package itself"
            its = (module or name).split(".")[0]
            assert its == own or level[its] < level[own] or level[own] == 0, (
                f"{path} imports {module}.{name}"
            )


def test_what_is_private_stays_in_its_package():
    for path in MODULES:
        own = module_name(path).split(".")[0]
        for module, name in imported(path):
            private = [part for part in (*module.split("."), name) if re.match("_[^_]", part)]
            assert not private or module.split(".")[0] == own, f"{path} imports {private}"


def test_jaxopt_and_flax_are_touched_where_they_belong():
    users = {"jaxopt": set(), "flax": set(), "tyro": set(), "rich": set()}
    users |= {"starlette": set(), "uvicorn": set()}
    for path in MODULES:
        for node in nodes(path):
            names = []
            if isinstance(node, ast.Import):
                names = [name.name for name in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                if name.split(".")[0] in users:
                    users[name.split(".")[0]].add(module_name(path))
    assert users == {
        "jaxopt": {"solvers.jaxopt_lbfgs"},
        "flax": {
            "feedforward.network",
            "networks.densenet",
            "networks.vgg",
            "universal.decoder_weights",
            "universal.decoders",
        },
        "tyro": {"cli.parse"},
        "rich": {"cli.display"},
        "starlette": {"page.app", "page.guard"},
        "uvicorn": {"page.server"},
    }


def longest(lengths):
    name = max(lengths, key=lengths.__getitem__)
    return f"{lengths[name]} lines ({name})"


def function_lengths(paths):
    return {
        f"{path.parent.name}/{path.name}: {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path in paths
        for node in nodes(path)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }


def count_of_any(path):
    names = (node.id if isinstance(node, ast.Name) else None for node in nodes(path))
    aliases = (node.name if isinstance(node, ast.alias) else None for node in nodes(path))
    return [*names, *aliases].count("Any")


def test_modules_and_functions_are_short_and_typed(record_property):
    modules = module_lengths(MODULES, PACKAGE)
    functions = function_lengths([*MODULES, *PROGRAMS])
    count = sum(map(count_of_any, MODULES))
    record_property(
        "the house",
        f"{len(modules)} modules, the longest of {longest(modules)}; "
        f"{len(functions)} functions, the longest of {longest(functions)}; `Any` {count} times",
    )
    assert {name: lines for name, lines in modules.items() if lines > LONGEST_MODULE} == {}
    assert {name: lines for name, lines in functions.items() if lines > LONGEST_FUNCTION} == {}
    assert count <= MOST_ANY


def test_scripts_are_short_and_their_parts_lie_in_folders():
    lengths = module_lengths(PROGRAMS, SCRIPTS)
    assert {name for name, lines in lengths.items() if lines > LONGEST_MODULE} <= LONG_SCRIPTS
    # Parts are named by what they are about, and each folder of them says what it holds.
    folders = {path.parent for path in PROGRAMS} - {SCRIPTS}
    inits = [ast.parse((folder / "__init__.py").read_text()) for folder in folders]
    assert inits and all(map(ast.get_docstring, inits))


def test_no_module_exports_a_function_of_its_own_name():
    defined = {
        (path, node.name)
        for path in MODULES
        for node in nodes(path)
        if isinstance(node, ast.FunctionDef)
    }
    assert [module_name(path) for path in MODULES if (path, path.stem) in defined] == []


@pytest.mark.parametrize("path", PACKAGES, ids=module_name)
def test_a_package_says_what_comes_in_and_what_goes_out(path):
    package = import_module(".".join(("stylejax", *path.relative_to(PACKAGE).parent.parts)))
    sentences = re.split(r"(?<=[.?!])\s+", cleandoc(package.__doc__ or ""))
    assert len(sentences) == 2 and all(sentence.endswith(".") for sentence in sentences)

    assert package.__all__ and list(package.__all__) == sorted(package.__all__)
    missing = [name for name in package.__all__ if not hasattr(package, name)]
    assert missing == []
    # A name that is also a module's would be one or the other, by the order of imports.
    modules = {other.stem for other in (*path.parent.glob("*.py"), *path.parent.glob("*/"))}
    assert not modules & set(package.__all__)
