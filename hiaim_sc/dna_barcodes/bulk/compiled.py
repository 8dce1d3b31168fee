"""How the functions that look at single reads are compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from numba import njit

if TYPE_CHECKING:
    from collections.abc import Callable

# Nobody counts who holds an array: counting at every call for every read took two thirds of the
# time of reads with wrong bases. Numba's own sorting goes without it, too.
_OPTIONS: Final[dict[str, Any]] = {"cache": True, "_nrt": False}


def kernel[F: Callable[..., object]](function: F) -> F:
    """A function, compiled, that makes no arrays of its own."""
    return cast("F", njit(**_OPTIONS)(function))
