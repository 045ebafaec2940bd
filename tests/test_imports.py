import ast
from pathlib import Path

import stylejax

# The way through the house: a package imports only from those before it.
HOUSE = """
version errors types options
images
networks
weights
losses
solvers
devices
transfer
sweep
runs
cli
__main__
"""

PACKAGE = Path(stylejax.__file__).parent


def imported_modules(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("stylejax"):
            yield (node.module or "").removeprefix("stylejax").removeprefix(".") or "__init__"
        elif isinstance(node, ast.Import):
            for name in node.names:
                assert not name.name.startswith("stylejax"), f"{path.name}: use `from ... import`"


def module_name(path):
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def test_a_package_imports_only_from_those_before_it():
    floors = [line.split() for line in HOUSE.strip().splitlines()]
    level = {name: floor for floor, names in enumerate(floors) for name in names}
    modules = [path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py"]
    assert set(level) == {module_name(path).split(".")[0] for path in modules}

    for path in modules:
        own = module_name(path).split(".")[0]
        for imported in imported_modules(path):
            assert imported != "__init__", f"{path} imports the package itself"
            its = imported.split(".")[0]
            assert its == own or level[its] < level[own] or level[own] == 0, (
                f"{path} imports {imported}"
            )


def test_jaxopt_and_flax_are_touched_where_they_belong():
    users = {"jaxopt": set(), "flax": set(), "tyro": set(), "rich": set()}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
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
        "flax": {"networks.densenet", "networks.vgg"},
        "tyro": {"cli.entry", "cli.commands"},
        "rich": {"cli.display"},
    }


def test_no_function_is_longer_than_sixty_lines():
    for path in [*PACKAGE.rglob("*.py"), *(PACKAGE.parent / "scripts").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                assert length <= 60, f"{path.name}: {node.name} has {length} lines"
