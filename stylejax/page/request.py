"""What the server of the page is asked to do, as the command line parses it."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from stylejax.errors import InputError
from stylejax.fields import option
from stylejax.options import check_bounds

PORT = 7860


@dataclass(frozen=True)
class ServeRequest:
    """Where the page is served, and to whom."""

    host: str = option(
        "127.0.0.1",
        "Address to listen at: this machine alone unless given; any other one needs --token.",
    )
    port: int = option(PORT, "Port; 0 for any that is free.", at_least=0, at_most=65535)
    token: str | None = option(
        None, "A secret that the page asks for: open it as http://HOST:PORT/?token=TOKEN."
    )
    allow_host: tuple[str, ...] = option(
        (),
        "Further names by which browsers may call this server, separated by commas: that of a "
        "proxy, say.",
    )
    folder: Path = option(
        Path("stylejax-page"),
        "The folder of pictures and jobs, made where there is none; what lies in it is shown.",
    )


def is_loopback(host: str) -> bool:
    """Whether an address to listen at is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_serve(request: ServeRequest) -> None:
    """Refuse what cannot be served, or not safely.

    Raises:
        InputError: names the option.
    """
    check_bounds(request)
    if request.token == "":
        raise InputError("--token is empty: give a secret, or leave it out")
    if not is_loopback(request.host) and request.token is None:
        raise InputError(
            f"--host {request.host} is reached from other machines: give a secret by --token too"
        )
    if request.folder.exists() and not request.folder.is_dir():
        raise InputError(f"--folder {request.folder}: is a file; name a folder")
    if not request.folder.parent.is_dir():
        raise InputError(
            f"--folder {request.folder}: there is no folder {request.folder.parent}; create it "
            "first"
        )
