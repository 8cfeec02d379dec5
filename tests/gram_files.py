"""Points and a network in files, for tests of ``ntkfast gram``."""

import json
from pathlib import Path

import numpy as np
import pytest

import ntkfast as nk
from ntkfast.cli import _resumable, main

X = np.random.default_rng(3).standard_normal((150, 4))
X2 = np.random.default_rng(4).standard_normal((70, 4))
NET = nk.mlp(2, nk.Erf(), w_std=1.3, b_std=0.2)
MLP = ["--depth", "2", "--activation", "ERF", "--w-std", "1.3", "--b-std", "0.2"]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with points, in small blocks of rows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_resumable, "_BLOCK", 1)  # 64 rows, then
    np.save("x.npy", X)
    np.save("x2.npy", X2)
    Path("net.json").write_text(json.dumps(NET.to_dict()), encoding="utf-8")
    return tmp_path


def ended(*arguments: str) -> int:
    return main(["gram", "x.npy", "k.npy", *arguments])
