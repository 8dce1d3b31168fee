"""A CellTypist model file, read without running any of it.

The file is a pickle, and a pickle may name any function of any library to be called when it is
read. Here only the builders of numpy arrays are real; an object of scikit-learn becomes its
attributes, and every other name is refused before anything of it is imported. So the file does
not need the version of scikit-learn that wrote it either.
"""

from __future__ import annotations

import io
import pickle
import struct
from typing import Any, Final, Self

import numpy as np

# what numpy itself names in pickles of arrays and scalars, under the modules of numpy 1 and 2
_BUILDERS: Final = {
    "ndarray": np.ndarray,
    "dtype": np.dtype,
    "_reconstruct": np.empty(0).__reduce__()[0],
    "scalar": np.float64(0).__reduce__()[0],
    "_frombuffer": np.empty(0).__reduce_ex__(5)[0],
}
_NUMPY: Final = {
    "numpy",
    *(f"numpy.{core}.{part}" for core in ("core", "_core") for part in ("multiarray", "numeric")),
}
_EMPTIED: Final = ("sklearn.", "numpy.random.")
# whatever a stream of bytes that is no such pickle may lead to
_FAILURES: Final = (
    pickle.UnpicklingError,
    ArithmeticError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    OverflowError,
    RecursionError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
)


class UnsafePickleError(ValueError):
    """A file names something that no CellTypist model needs, or is no pickle."""


class Emptied:
    """An object of the file: its attributes, and nothing that could run.

    Attributes
    ----------
    named
        Its class, as the file names it.
    """

    named = ""

    def __new__(cls, *_args: Any, **_kwargs: Any) -> Self:
        """An empty object, whatever it is given."""
        return object.__new__(cls)

    def __init__(self, *_args: Any, **_kwargs: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        self.__dict__.update(state if isinstance(state, dict) else {})


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module in _NUMPY and name in _BUILDERS:
            return _BUILDERS[name]
        if module.startswith(_EMPTIED):
            return type(name.rpartition(".")[2], (Emptied,), {"named": f"{module}.{name}"})
        msg = f"it names {module}.{name}, which no such model needs"
        raise UnsafePickleError(msg)


def read_inert(content: bytes) -> Any:
    """What a pickle holds: plain values, numpy arrays, and `Emptied` objects.

    Raises
    ------
    UnsafePickleError
        When it names anything else, or is no pickle; one clause on what it is.
    """
    try:
        return _Reader(io.BytesIO(content)).load()
    except UnsafePickleError:
        raise
    except _FAILURES as error:
        msg = f"it is no pickle that can be read ({error or type(error).__name__})"
        raise UnsafePickleError(msg) from error
