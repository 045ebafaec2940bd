import ast
from pathlib import Path

import stylejax

# The way through the house: a module imports only from lines above its own.
HOUSE = """
version errors types png
files distributed
config sample rows torch_files keras_files
layers presets pyramid masks color grid convolution
dense_block pooling strips
densenet vgg convert
features weights state_dict
losses normalization published download
conversion
fetch
objective parameterization
linesearch
solver
history image
contact_sheet transfer
checkpoint device reconstruct settings lanes results
figure sharding
request
run
batches
sweep
progress commands
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


def test_a_module_imports_only_from_further_down_the_foundation():
    floors = [line.split() for line in HOUSE.strip().splitlines()]
    level = {module: floor for floor, modules in enumerate(floors) for module in modules}
    modules = {path.stem: path for path in PACKAGE.glob("*.py") if path.stem != "__init__"}
    assert set(level) == set(modules), "a new module needs a floor"

    for module, path in modules.items():
        for imported in imported_modules(path):
            assert imported != "__init__", f"{module} imports the package itself"
            assert level[imported] < level[module], f"{module} imports {imported}"


def test_jaxopt_and_flax_are_touched_where_they_belong():
    users = {"jaxopt": set(), "flax": set(), "tyro": set(), "rich": set()}
    for path in PACKAGE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [name.name for name in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                if name.split(".")[0] in users:
                    users[name.split(".")[0]].add(path.stem)
    assert users == {
        "jaxopt": {"solver"},
        "flax": {"densenet", "vgg"},
        "tyro": {"cli", "commands"},
        "rich": {"progress"},
    }


def test_no_function_is_longer_than_sixty_lines():
    for path in [*PACKAGE.glob("*.py"), *(PACKAGE.parent / "scripts").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                assert length <= 60, f"{path.name}: {node.name} has {length} lines"
