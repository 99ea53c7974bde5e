"""Eight bytes at a time, at any index of an array of any type: numba itself reads elements alone.

What is here is compiled into those that call it. Without numba the same is done in Python, since
rows that a worker with numba has stored are read there too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from schemas.compiled import numba

__all__ = [
    "address",
    "flipped",
    "instruction",
    "leading_zeros",
    "load",
    "store",
    "trailing_zeros",
]


def instruction(plain: Callable[..., Any] | None = None) -> Callable[[Callable[..., Any]], Any]:
    """Let compiled functions call what a function gives the code of; see `numba.extending`.

    Parameters
    ----------
    plain
        Does the same in Python, where numba is missing; None if nothing calls it there.
    """

    def made(function: Callable[..., Any]) -> Any:
        if numba is None:
            return function if plain is None else plain
        return numba.extending.intrinsic(function)

    return made


def _bytes_of(array: Any, at: int) -> Any:
    """Return up to eight bytes from index `at` of an array on."""
    begins = at * array.itemsize
    return array.view(np.uint8)[begins : begins + 8]


def plain_load(data: Any, at: int) -> np.uint64:
    """Do as `load`; what is behind the end of `data` counts as 0."""
    return np.uint64(int.from_bytes(_bytes_of(data, at).tobytes(), "little"))


def plain_store(out: Any, at: int, value: Any) -> None:
    """Do as `store`, up to the end of `out`."""
    place = _bytes_of(out, at)
    place[:] = np.frombuffer(int(value).to_bytes(8, "little"), np.uint8)[: len(place)]


def plain_flipped(value: Any) -> np.uint64:
    """Do as `flipped`."""
    return np.uint64(int.from_bytes(int(value).to_bytes(8, "little"), "big"))


def plain_trailing_zeros(value: Any) -> int:
    """Do as `trailing_zeros`."""
    number = int(value)
    return (number & -number).bit_length() - 1 if number else 64


def plain_leading_zeros(value: Any) -> int:
    """Do as `leading_zeros`."""
    return 64 - int(value).bit_length()


def _pointer(context: Any, builder: Any, kind: Any, array: Any, at: Any, target: Any) -> Any:
    """Return a pointer to what stands at an index of an array."""
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [at]), target.as_pointer())


@instruction(plain_load)
def load(_: Any, data: Any, at: Any) -> Any:
    """Return the eight bytes from index `at` of `data` on, the low one first."""
    from llvmlite import ir

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        word = ir.IntType(64)
        place = _pointer(context, builder, signature.args[0], given[0], given[1], word)
        loaded = builder.load(place)
        loaded.align = 1
        return loaded

    return numba.types.uint64(data, numba.types.intp), code


@instruction(plain_store)
def store(_: Any, out: Any, at: Any, value: Any) -> Any:
    """Write eight bytes to `out` from index `at` on, the low one first."""
    from llvmlite import ir

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        word = ir.IntType(64)
        place = _pointer(context, builder, signature.args[0], given[0], given[1], word)
        builder.store(given[2], place).align = 1
        return context.get_dummy_value()

    return numba.types.void(out, numba.types.intp, numba.types.uint64), code


@instruction(plain_flipped)
def flipped(_: Any, value: Any) -> Any:
    """Return a number with its eight bytes in the opposite order."""

    def code(_: Any, builder: Any, __: Any, given: Any) -> Any:
        return builder.bswap(given[0])

    return numba.types.uint64(numba.types.uint64), code


@instruction(plain_trailing_zeros)
def trailing_zeros(_: Any, value: Any) -> Any:
    """Return how many bits of a number are 0 below the lowest one that is not: 64 of 0."""
    from llvmlite import ir

    def code(_: Any, builder: Any, __: Any, given: Any) -> Any:
        return builder.cttz(given[0], ir.Constant(ir.IntType(1), 0))

    return numba.types.int64(numba.types.uint64), code


@instruction(plain_leading_zeros)
def leading_zeros(_: Any, value: Any) -> Any:
    """Return how many bits of a number are 0 above the highest one that is not: 64 of 0."""
    from llvmlite import ir

    def code(_: Any, builder: Any, __: Any, given: Any) -> Any:
        return builder.ctlz(given[0], ir.Constant(ir.IntType(1), 0))

    return numba.types.int64(numba.types.uint64), code


@instruction()
def address(_: Any, data: Any, at: Any) -> Any:
    """Return where in memory index `at` of an array of bytes stands."""
    from llvmlite import ir

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        byte = ir.IntType(8)
        place = _pointer(context, builder, signature.args[0], given[0], given[1], byte)
        return builder.ptrtoint(place, ir.IntType(64))

    return numba.types.int64(data, numba.types.intp), code
