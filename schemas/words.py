"""Eight bytes at a time, at any index of an array of any type: numba itself reads elements alone.

What is here is compiled into those that call it. In Python there is nothing to call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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


def instruction(function: Callable[..., Any]) -> Any:
    """Let compiled functions call what a function gives the code of; see `numba.extending`."""
    if numba is None:
        return function
    return numba.extending.intrinsic(function)


def _pointer(context: Any, builder: Any, kind: Any, array: Any, at: Any, target: Any) -> Any:
    """Return a pointer to what stands at an index of an array."""
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [at]), target.as_pointer())


@instruction
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


@instruction
def store(_: Any, out: Any, at: Any, value: Any) -> Any:
    """Write eight bytes to `out` from index `at` on, the low one first."""
    from llvmlite import ir

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        word = ir.IntType(64)
        place = _pointer(context, builder, signature.args[0], given[0], given[1], word)
        builder.store(given[2], place).align = 1
        return context.get_dummy_value()

    return numba.types.void(out, numba.types.intp, numba.types.uint64), code


@instruction
def flipped(_: Any, value: Any) -> Any:
    """Return a number with its eight bytes in the opposite order."""

    def code(_: Any, builder: Any, __: Any, given: Any) -> Any:
        return builder.bswap(given[0])

    return numba.types.uint64(numba.types.uint64), code


@instruction
def trailing_zeros(_: Any, value: Any) -> Any:
    """Return how many bits of a number are 0 below the lowest one that is not: 64 of 0."""
    from llvmlite import ir

    def code(_: Any, builder: Any, __: Any, given: Any) -> Any:
        return builder.cttz(given[0], ir.Constant(ir.IntType(1), 0))

    return numba.types.int64(numba.types.uint64), code


@instruction
def leading_zeros(_: Any, value: Any) -> Any:
    """Return how many bits of a number are 0 above the highest one that is not: 64 of 0."""
    from llvmlite import ir

    def code(_: Any, builder: Any, __: Any, given: Any) -> Any:
        return builder.ctlz(given[0], ir.Constant(ir.IntType(1), 0))

    return numba.types.int64(numba.types.uint64), code


@instruction
def address(_: Any, data: Any, at: Any) -> Any:
    """Return where in memory index `at` of an array of bytes stands."""
    from llvmlite import ir

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        byte = ir.IntType(8)
        place = _pointer(context, builder, signature.args[0], given[0], given[1], byte)
        return builder.ptrtoint(place, ir.IntType(64))

    return numba.types.int64(data, numba.types.intp), code
