#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a wheel requires, but for torch and what belongs to it: requirements.py WHEEL"""
import email
import re
import sys
import zipfile

with zipfile.ZipFile(sys.argv[1]) as wheel:
    name = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    for line in email.message_from_string(wheel.read(name).decode()).get_all("Requires-Dist"):
        if "extra ==" not in line and re.match(r"[\w.-]+", line).group(0) not in ("torch", "torchvision", "torchaudio", "triton"):
            print(line)
