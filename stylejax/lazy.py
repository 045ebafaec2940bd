"""Names that come when they are asked for: to import JAX takes a second or two.

So what parses a command line, prints a table or refuses a file imports of a package what it uses.
"""

import sys
from collections.abc import Callable
from importlib import import_module


def lazy_names(
    owner: str, *modules: str
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """The functions `__getattr__` and `__dir__` (PEP 562) of a module that has an `__all__`.

    The first of these names that is asked for and not there brings all of them.

    Args:
        owner: the module's name, mostly of a package.
        modules: where the names are: modules of the package, or `stylejax.` and more for others.
    """
    space = vars(sys.modules[owner])

    def get(name: str) -> object:
        # Python itself asks for others, before it looks for a module of that name.
        if name not in space["__all__"]:
            raise AttributeError(f"module {owner!r} has no attribute {name!r}")
        for module in modules:
            is_whole = module.startswith("stylejax.")
            held = vars(import_module(module if is_whole else f"{owner}.{module}"))
            space.update({each: held[each] for each in space["__all__"] if each in held})
        return space[name]

    return get, lambda: sorted({*space, *space["__all__"]})
