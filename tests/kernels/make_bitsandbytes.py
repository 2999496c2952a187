#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes bitsandbytes_golden.h, and kernels/cpu/bitsandbytes_map.h: what bitsandbytes makes of some hundred tensors on a CPU.

Run in the environment of tests/parity/requirements-bitsandbytes.txt. test_bitsandbytes.c makes the same tensors and compares
checksums. Dequantised weights are those of bitsandbytes' plain implementation, which all its devices
share ("default"); where its compiled one differs, it is said why.
"""
import os
import pathlib
import zlib

os.environ["TORCHDYNAMO_DISABLE"] = "1"  # compiles bitsandbytes' plain code for minutes
import bitsandbytes.functional as bnb
import numpy as np
import torch
from bitsandbytes.backends.default import ops as plain

HERE = pathlib.Path(__file__).resolve().parent
KINDS = ["NORMAL", "ZEROS", "DENORMAL", "HUGE_ONE", "SPARSE", "BORDERS", "CONSTANT", "TINY", "SIGNED_ZEROS"]
DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
SHAPES = [(5, 4304), (1, 1), (7, 896), (3, 100), (2, 65), (16, 4304), (9, 1152), (1, 63), (33, 192), (2, 4864), (6, 30), (1, 18944), (300, 64)]
SHAPES_A_CASE = 5
GREATEST = {"F32": np.finfo(np.float32).max, "F16": 65504.0, "BF16": float.fromhex("0x1.FEp127")}
EXPONENT = {"F32": -26, "F16": -14, "BF16": -12}
SMALLEST = {"F32": -149, "F16": -24, "BF16": -133}


def mixed(x):
    """A hash of 32 bits of each of an array's numbers."""
    x = x.astype(np.uint32)
    x = (x ^ x >> 16) * np.uint32(0x85EBCA6B)
    x = (x ^ x >> 13) * np.uint32(0xC2B2AE35)
    return x ^ x >> 16


def values(kind, dtype, n, seed, bounds):
    """n numbers that the type holds, as float32; test_bitsandbytes.c has the same in C."""
    i = np.arange(n, dtype=np.uint32)
    h = mixed(i + np.uint32(seed * 0x9E3779B9 & 0xFFFFFFFF))
    bell = ((h & 255) + (h >> 8 & 255) + (h >> 16 & 255) + (h >> 24)).astype(np.int32) - 510
    if dtype == "F32":
        whole = bell * 4096 + (mixed(h) & 4095).astype(np.int32)
    else:
        whole = bell if dtype == "F16" else np.trunc(bell / 4).astype(np.int32)
    normal = np.ldexp(whole.astype(np.float32), EXPONENT[dtype])
    block = (i // 64).astype(np.int32)
    match KIND_OF[kind]:
        case "NORMAL":
            return normal
        case "ZEROS":
            return np.zeros(n, np.float32)
        case "DENORMAL":
            return np.ldexp(whole.astype(np.float64), SMALLEST[dtype]).astype(np.float32)
        case "HUGE_ONE":
            normal[n // 3] = GREATEST[dtype]
            return normal
        case "SPARSE":
            return np.where(block % 3 == 0, np.float32(0), np.ldexp(whole.astype(np.float64), EXPONENT[dtype] - block % 7).astype(np.float32))
        case "BORDERS":
            near = np.array(bounds, np.float32)[h % 15] if dtype == "F32" else ((h % 257).astype(np.float32) - 128) / 128
            bits = near.view(np.int32) + ((h >> 16) % 5).astype(np.int32) - np.where(near == 0, 0, 2).astype(np.int32)
            near = bits.view(np.float32) if dtype == "F32" else near
            return np.where(i % 64 == 0, np.float32(1), near)
        case "CONSTANT":
            return np.full(n, -0.015625, np.float32)
        case "TINY":
            return np.where(i % 64 == 0, np.float32(1), np.where(h & 1, np.float32(1), np.float32(-1)) * np.ldexp(np.float32(1), -4 - (h >> 8 & 7).astype(np.int32)))
        case "SIGNED_ZEROS":
            return np.where(h & 1, np.float32(-0.0), normal)


KIND_OF = dict(enumerate(KINDS))


def crc(array):
    return zlib.crc32(np.ascontiguousarray(array).tobytes())


def dequantised(codes, absmax, quant_type, dtype, n):
    code = bnb.get_4bit_type(quant_type, "cpu")
    compute = plain._dequantize_4bit_compute
    compute = getattr(compute, "__wrapped__", compute)
    return compute(codes.reshape(-1), absmax, code, 64, (1, n), dtype).reshape(-1)


def row(kind, dtype, quant_type, shape, seed, odd):
    n = shape[0] * shape[1]
    bounds = plain._get_4bit_quantize_bounds(quant_type, torch.device("cpu"))[0].numpy()
    numbers = values(kind, dtype, n, seed, bounds)
    weight = torch.from_numpy(numbers).to(DTYPES[dtype]).reshape(shape)
    assert weight.isfinite().all()
    assert np.array_equal(weight.float().numpy().ravel().view(np.int32), numbers.view(np.int32)), (kind, dtype)
    codes, state = bnb.quantize_4bit(weight, quant_type=quant_type)
    again, nested = bnb.quantize_4bit(weight, quant_type=quant_type, compress_statistics=True)
    assert torch.equal(codes, again)
    expanded = bnb.dequantize_blockwise(nested.absmax, nested.state2) + nested.offset
    whole = dequantised(codes, state.absmax, quant_type, weight.dtype, n).float().numpy()
    from_nested = dequantised(codes, expanded, quant_type, weight.dtype, n).float().numpy()
    # Its compiled CPU code, of one long row: the same but for what is counted.
    compiled = torch.ops.bitsandbytes.dequantize_4bit.default(codes, state.absmax, 64, quant_type, (1, n), weight.dtype).float().numpy().ravel()
    if not np.array_equal(compiled.view(np.int32), whole.view(np.int32)):
        same = compiled == whole
        tiny = np.abs(whole) < 2.0**-126
        odd["the sign of zeros" if same.all() else "denormals become 0 (bf16)" if tiny[~same].all() else "OTHER"] += 1
    if shape[1] % 64 and not torch.equal(bnb.dequantize_4bit(codes, state).float(), torch.from_numpy(whole).reshape(shape)):
        odd["rows that are no multiple of the block"] += 1
    parts = [codes.numpy(), state.absmax.numpy(), whole, nested.absmax.numpy(), nested.state2.absmax.numpy(), from_nested]
    offset = nested.offset.numpy().view(np.uint32)
    return (f"    {{{shape[0]}, {shape[1]}, LV_{dtype}, LV_{quant_type.upper()}, {KIND_OF[kind]}, {seed}, 0x{int(offset):08x}, "
            f"{{{', '.join(f'0x{crc(part):08x}' for part in parts)}}}}},")


def main():
    torch.set_num_threads(1)  # the mean of nested scales depends on it
    import bitsandbytes
    from collections import Counter

    odd, rows, seed = Counter(), [], 0
    for dtype in DTYPES:
        for quant_type in ("nf4", "fp4"):
            for kind in range(len(KINDS)):
                for _ in range(SHAPES_A_CASE):
                    rows.append(row(kind, dtype, quant_type, SHAPES[seed % len(SHAPES)], seed, odd))
                    seed += 1
    head = "/* SPDX-License-Identifier: Apache-2.0\n * Made by tests/kernels/make_bitsandbytes.py with bitsandbytes %s. */\n/* clang-format off */\n" % bitsandbytes.__version__
    (HERE / "bitsandbytes_golden.h").write_text(head + "static const Golden goldens[] = {\n" + "\n".join(rows) + "\n};\n")
    numbers = [float(x).hex() for x in bnb.create_dynamic_map()]
    lines = ["    " + ", ".join(f"{x}f" for x in numbers[i : i + 5]) + "," for i in range(0, 256, 5)]
    (HERE / "../../kernels/cpu/bitsandbytes_map.h").write_text(head + "static const float nested_map[256] = {\n" + "\n".join(lines).replace("0000000p", "p") + "\n};\n")
    print(f"{len(rows)} tensors; bitsandbytes' compiled dequantising differs from its plain one in: {dict(odd)}")


main()
