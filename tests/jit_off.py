"""Run a piece of a test without the compiler, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np


def run_jit_off(module: str, function: str, dtype: type[np.generic]) -> np.ndarray:
    """What a function of a test module returns, a flat array of ``dtype``, while all kernels run as plain Python."""
    code = (f"import sys; sys.path.insert(0, 'tests'); from {module} import {function} as run; "
            "sys.stdout.buffer.write(run().tobytes())")
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
                          stdout=subprocess.PIPE, check=True, cwd=Path(__file__).parents[1])
    return np.frombuffer(done.stdout, dtype)
