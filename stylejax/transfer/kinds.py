"""What of a picture is reconstructed: what it shows, or how it is painted."""

from typing import Literal

Kind = Literal["content", "style"]
