# SPDX-License-Identifier: Apache-2.0
"""Reads the rendered scenes back (render.py writes them)."""
import glob
import json
import os

import numpy as np


def load(folder, limit=None, first=0, step=1):
    """List of dict(scene, tiles, numbers, picture, picture_number)."""
    out = []
    for f in sorted(glob.glob(os.path.join(folder, "[0-9]*[0-9].npz")))[:limit][first::step]:
        z = np.load(f)
        out.append({"file": os.path.basename(f), "scene": json.loads(str(z["scene"])), "tiles": z["tiles"], "numbers": z["numbers"],
                    "picture": z["picture"], "picture_number": int(z["picture_number"])})
    return out
