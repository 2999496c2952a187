#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/kernels/e4m3_golden.h: the numbers of torch.float8_e4m3fn, and the least float32 that torch rounds to each.

    .cache/parity/bin/python tests/kernels/make_e4m3.py

Rounding is monotone, which is checked here on all bf16 numbers and on random ones, so the least of each is all of it. torch
makes what is over 464 no number; there and on the device it is held to 448 before (torch.clamp)."""
import os
import struct

import torch

MOST = 448.0
FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "e4m3_golden.h")


def codes_of(values):
    return values.clamp(-MOST, MOST).to(torch.float8_e4m3fn).view(torch.uint8)


def floats(bits):
    return torch.tensor(bits, dtype=torch.int32).view(torch.float32)


def least_of(code):
    """The bits of the least number, from 0 on, whose code is this one or one behind it."""
    low, high = -1, 0x7F7FFFFF
    while high - low > 1:
        middle = (low + high) // 2
        if int(codes_of(floats([middle]))[0]) >= code:
            high = middle
        else:
            low = middle
    return high


def check_monotone():
    torch.manual_seed(1)
    every = torch.arange(0, 0x7F80, dtype=torch.int32) << 16
    drawn = torch.randint(0, 0x7F800000, (1 << 20,), dtype=torch.int32)
    near = torch.randint(0x3A000000, 0x43F00000, (1 << 20,), dtype=torch.int32)
    bits = torch.cat([every, drawn, near]).sort().values
    codes = codes_of(bits.view(torch.float32)).to(torch.int32)
    assert bool((codes[1:] >= codes[:-1]).all())
    assert bool((codes_of(-bits.view(torch.float32)).to(torch.int32) == codes + 128).all())


def lines(name, kind, values):
    yield "static const %s %s[] = {" % (kind, name)
    for at in range(0, len(values), 8):
        yield "    " + ", ".join("0x%08X" % v for v in values[at:at + 8]) + ","
    yield "};"


def main():
    check_monotone()
    numbers = torch.arange(256, dtype=torch.int32).to(torch.uint8).view(torch.float8_e4m3fn).to(torch.float32)
    bits = [struct.unpack("<I", struct.pack("<f", x))[0] if x == x else 0x7FC00000 for x in numbers.tolist()]
    with open(FILE, "w", encoding="utf-8") as out:
        out.write("/* SPDX-License-Identifier: Apache-2.0\n * By make_e4m3.py with torch %s. */\n/* clang-format off */\n"
                  % torch.__version__.split("+")[0])
        out.write("/* The float32 of each code; 7FC00000: none. */\n")
        out.write("\n".join(lines("golden_numbers", "uint32_t", bits)) + "\n")
        out.write("/* The least float32 that becomes each code from 0 to 0x7E. */\n")
        out.write("\n".join(lines("golden_least", "uint32_t", [least_of(code) for code in range(0x7F)])) + "\n")
        out.write("/* clang-format on */\n")


if __name__ == "__main__":
    main()
