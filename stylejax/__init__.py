"""Neural style transfer as a pure JAX optimization problem: pictures in, one picture out.

Everything on the way is a function of arrays and pytrees that can be called, differentiated and
mapped by itself.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stylejax.api import *  # noqa: F403
    from stylejax.api import __all__ as __all__
else:

    def __getattr__(name):
        """A public name, all of which come with the first: JAX takes a second or two to import.

        So the command line is there to answer Ctrl-C before that.
        """
        public = {}
        # Python itself asks for names between underlines, some of them before it goes on.
        if name == "__all__" or not name.startswith("__"):
            api = import_module("stylejax.api")
            public = vars(api) if name in (*api.__all__, "__all__") else globals()
        if name not in public:
            raise AttributeError(f"module 'stylejax' has no attribute {name!r}")
        return public[name]

    def __dir__():
        return sorted({*globals(), *__getattr__("__all__")})
