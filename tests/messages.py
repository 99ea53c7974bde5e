"""Sensor events of every spelling, good and mangled, as a seeded generator makes them."""

from __future__ import annotations

import random
import struct
from datetime import UTC, datetime, timedelta
from math import isfinite


def a_number(rng: random.Random) -> str:
    """A number in one of the spellings there are, of any size."""
    kind = rng.randrange(8)
    sign = rng.choice(["", "", "-"])
    exponent = rng.choice(["e", "E", "e+", "e-", "E-", "e-0"])
    if kind == 0:
        number = struct.unpack("<d", rng.randbytes(8))[0]
        return repr(number) if isfinite(number) else "0.5"
    if kind == 1:
        return repr(rng.gauss(20, 1) * 10.0 ** rng.randrange(-6, 17))
    if kind == 2:
        return f"{rng.gauss(0, 100):.{rng.randint(1, 20)}f}"
    if kind == 3:
        return sign + str(rng.randrange(10 ** rng.randint(1, 25)))
    if kind == 4:
        digits = str(rng.randrange(10 ** rng.randint(1, 25)))
        return f"{sign}{digits[0]}.{digits[1:] or '0'}{exponent}{rng.randint(0, 330)}"
    if kind == 5:
        return f"{sign}0.{'0' * rng.randint(0, 25)}{rng.randrange(10 ** rng.randint(1, 25))}"
    if kind == 6:
        return f"{sign}{halfway(rng) + rng.randint(-1, 1)}e{rng.randint(-30, 30)}"
    digits = str(halfway(rng))
    cut = rng.randint(1, len(digits))
    return f"{sign}{digits[:cut]}.{digits[cut:]}0"


def halfway(rng: random.Random) -> int:
    """An integer of 54 bits and an odd one, which lies halfway between two doubles, or its half."""
    return (rng.randrange(2**53, 2**54) | 1) << rng.randint(0, 9)


def a_ts(rng: random.Random) -> str:
    kind = rng.randrange(6)
    if kind == 0:
        return a_number(rng)
    if kind == 1:
        return repr(rng.uniform(-6.3e10, 2.6e11))
    if kind == 2:
        return str(rng.randint(-70_000_000_000, 260_000_000_000))
    if kind == 3:
        return f"{rng.randint(-100, 100)}.{rng.randrange(10**7):07}5"
    moment = datetime(1, 1, 1) + timedelta(seconds=rng.randrange(315_537_897_600))
    text = moment.isoformat()
    if rng.random() < 0.1:
        text = text.replace(rng.choice("0123456789"), rng.choice("0123456789"))
    if rng.random() < 0.7:
        text += "." + "".join(rng.choices("0123456789", k=rng.randint(1, 20)))
    zones = ["Z", "Z", "z", "+00:00", "-00:00", f"{rng.choice('+-')}{rng.randrange(26):02}:30"]
    return f'"{text}{rng.choice(zones)}"'


def an_id(rng: random.Random) -> str:
    return "".join(rng.choices("abcXYZ019-_/.: {}[],~", k=rng.choice([1, 7, 8, 9, 20, 64])))


def a_message(rng: random.Random) -> bytes:
    """A message of the plain shape, but for its number and time."""
    fields = [
        f'"sensor_id":"{an_id(rng)}"',
        f'"ts":{a_ts(rng)}',
        f'"value":{a_number(rng)}',
    ]
    if rng.random() < 0.2:
        fields.append(f'"event_id":"{an_id(rng)}"')
    if rng.random() < 0.3:
        rng.shuffle(fields)
    message = "{" + ",".join(fields) + "}"
    if rng.random() < 0.3:
        message = message.replace(",", rng.choice([", ", " ,\n"])).replace('":', '": ')
    return message.encode()


def a_simple_message(rng: random.Random) -> bytes:
    """A message as most producers write them."""
    seconds = rng.randrange(4 * 10**9)
    moment = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    ts = rng.choice(
        [
            repr(seconds + rng.random()),
            str(seconds),
            f"{seconds}.{rng.randrange(1000):03}",
            f'"{moment}Z"',
            f'"{moment}.{rng.randrange(1000):03}Z"',
            f'"{moment}.{rng.randrange(10**6):06}+00:00"',
        ]
    )
    size = 10.0 ** rng.randrange(-9, 10)
    value = rng.choice([repr(rng.gauss(0, size)), f"{rng.gauss(0, size):.3f}", str(seconds)])
    return f'{{"sensor_id":"s-{rng.randrange(10**6):06}","ts":{ts},"value":{value}}}'.encode()


ODD_BYTES = b'\0\t\n "+-.,0159:;ETZetz[\\]{}\x7f\x80\xc3\xff'


def a_mangled_message(rng: random.Random) -> bytes:
    message = bytearray(a_simple_message(rng) if rng.random() < 0.5 else a_message(rng))
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        at = rng.randrange(len(message) + 1)
        to = min(len(message), at + rng.choice([1, 1, 2, 8]))
        kind = rng.randrange(6)
        if kind == 0 and at < to:
            message[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del message[at:to]
        elif kind == 2:
            message[at:at] = message[at:to]
        elif kind == 3:
            message[at:to] = bytes([rng.choice(ODD_BYTES)])
        elif kind == 4:
            message[at:at] = bytes([rng.choice(ODD_BYTES)])
        else:
            other = a_message(rng)
            cut = rng.randrange(len(other))
            message[at:to] = other[cut : cut + rng.randint(1, 12)]
    return bytes(message[: rng.choice([len(message)] * 9 + [rng.randrange(len(message) + 1)])])
