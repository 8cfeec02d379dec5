"""Old programs, run as they are."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import sys
import numpy as np
import neural_tangents as nt
from neural_tangents import stax
from neural_tangents.utils import batch
from neural_tangents.predict import gradient_descent_mse
from neural_tangents._src.utils.utils import make_2d

_, _, kernel_fn = stax.serial(stax.Dense(1, 2., .05), stax.Relu(), stax.Dense(1, 2., .05))
kernel_fn = nt.batch(kernel_fn, device_count=0, batch_size=0)
k = kernel_fn(np.eye(3), None, "ntk")
print(sys.argv[1:], gradient_descent_mse(k, np.eye(3))(None).shape, make_2d(k).shape)
"""
IN_JAX = """
from jax.config import config
config.update("jax_enable_x64", True)
import jax.numpy as np
from jax.api import jit, grad
from jax.experimental import optimizers, stax as ostax
from jax import tree_map
from neural_tangents import stax
import jax
assert jax.config.jax_enable_x64
_, _, kernel_fn = stax.serial(stax.Dense(1), stax.Erf(), stax.Dense(1))
print(jit(grad(lambda x: kernel_fn(x, None, "ntk").sum()))(np.eye(3)).dtype)
"""


def run(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ntkfast.neural_tangents", str(path), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_script(tmp_path: Path) -> None:
    path = tmp_path / "old.py"
    path.write_text(SCRIPT, encoding="utf-8")
    done = run(path, "--steps", "3")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "['--steps', '3'] (3, 3) (3, 3)\n"
    assert "replaced neural_tangents.utils by ntkfast.neural_tangents.utils" in done.stderr


def test_a_script_with_names_of_jax_that_are_gone(tmp_path: Path) -> None:
    pytest.importorskip("jax")
    path = tmp_path / "old.py"
    path.write_text(IN_JAX, encoding="utf-8")
    done = run(path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "float64\n"
    assert "replaced jax.api by jax" in done.stderr


def test_a_notebook(tmp_path: Path) -> None:
    path = tmp_path / "old.ipynb"
    cells = [
        {"cell_type": "markdown", "source": ["# Title"]},
        {"cell_type": "code", "source": ["!pip install neural-tangents\n", "%matplotlib inline"]},
        {"cell_type": "code", "source": "%%bash\necho no"},
        {"cell_type": "code", "source": SCRIPT.splitlines(keepends=True)},
    ]
    path.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    done = run(path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[] (3, 3) (3, 3)\n"


def test_failures(tmp_path: Path) -> None:
    assert "no such file" in run(tmp_path / "none.py").stderr
    path = tmp_path / "bad.py"
    path.write_text("import neural_tangents\n1 / 0\n", encoding="utf-8")
    done = run(path)
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr
    assert "replaced neural_tangents by" in done.stderr
