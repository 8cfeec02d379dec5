"""Large arrays are compared with the memory that is free, and errors say what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ntkfast as nk
from ntkfast import _memory

NET = nk.mlp(1, nk.Relu())
EYE = np.eye(300)
FINITE = nk.finite.init(NET, (3,), seed=0, output_dim=1, width=50)
X = np.random.default_rng(0).standard_normal((300, 3))
IMAGES = np.random.default_rng(0).standard_normal((3, 10, 10, 1))
FLOW = nk.GradientFlow(EYE, EYE[:, :2])
CROSS = nk.Kernels(EYE, EYE)


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all arrays count as large, and little memory be free."""
    monkeypatch.setattr(_memory, "LARGE", 1000)
    monkeypatch.setattr("ntkfast.kernels.LARGE", 1000)
    monkeypatch.setattr(_memory, "available", lambda: 5000.0)


CALLS: dict[str, tuple[Callable[[], object], str]] = {
    "ntk": (lambda: NET.ntk(X), r"the NTK of shape \(300, 300\) in float64 takes .*ntkfast gram"),
    "kernels": (lambda: NET.kernels(X), "the NNGP and NTK of shape .*float32.*blocks with x2"),
    "cross": (lambda: NET.nngp(X, X[:100]), r"the NNGP of shape \(300, 100\)"),
    "diagonal": (lambda: NET.ntk(np.tile(X, (3, 1)), diagonal=True), r"the NTK of shape \(900,\)"),
    "by depth": (lambda: nk.ntk_by_depth(NET, X), r"the NTK of shape \(2, 300, 300\)"),
    "images": (lambda: nk.cntk(1).ntk(np.tile(IMAGES, (9, 1, 1, 1))), r"shape \(27, 27\)"),
    "integers": (lambda: NET.ntk(np.ones((300, 3), int)), "x, converted to float64, takes"),
    "eigh": (lambda: nk.eigh(EYE), "the eigendecomposition of 300 points takes 0.00252 GB"),
    "cholesky": (lambda: nk.cholesky(EYE), "the Cholesky factor takes"),
    "solve": (lambda: nk.Cholesky(EYE).solve(EYE), "the solution takes .*columns at a time"),
    "flow": (lambda: nk.GradientFlow(EYE, X), "the eigendecomposition of 300 points"),
    "regression": (lambda: nk.KernelRegression(EYE, X), "the Cholesky factor of theta takes"),
    "posterior": (lambda: nk.Posterior.from_kernels(EYE, X), "the Cholesky factor of"),
    "refined": (
        lambda: nk.KernelRegression(np.eye(600), np.ones(600)),
        "the Cholesky factor of theta in float32",
    ),
    "predictions": (lambda: FLOW.predict(EYE, t=[1, 2]), "the result of shape .*fewer times"),
    "covariance": (
        lambda: nk.Ensemble.from_kernels(EYE, FLOW).predict_kernels(
            CROSS, EYE, t=1.0, covariance="full"
        ),
        "the covariance of 300 points takes",
    ),
    "training covariance": (
        lambda: nk.Ensemble.from_kernels(EYE, FLOW).predict(t=1.0, covariance="full"),
        "the covariance of 300 training points",
    ),
    "samples": (lambda: nk.Normal(X, EYE).sample(5, seed=0), "5 samples at 300 points takes"),
    "jacobian": (lambda: FINITE.jacobian(X), "the Jacobian of 300 points.*ntk, gradient or"),
    "finite ntk": (lambda: FINITE.ntk(X), "the kernel of shape .*blocks with x2"),
    "finite outputs": (lambda: FINITE.forward(np.tile(X, (3, 1))), "the result of shape"),
    "parameters": (
        lambda: nk.finite.init(NET, (3,), seed=0, output_dim=1, width=500),
        "the parameters takes .*smaller widths",
    ),
    "monte carlo": (
        lambda: nk.finite.monte_carlo_kernels(NET, X, n_samples=2, seed=0, width=4),
        "six arrays of shape",
    ),
    "snapshots": (
        lambda: FINITE.train(X[:2], np.ones((2, 1)), steps=50, snapshots=True),
        "snapshots of .* parameters at .* times takes .*record fewer",
    ),
    "one hot": (lambda: nk.data.one_hot(np.arange(300)), "the encoding of 300 labels"),
    "sphere": (lambda: nk.data.sphere(300, 3, seed=0), "two arrays of shape"),
}


@pytest.mark.usefixtures("little")
@pytest.mark.parametrize("name", CALLS)
def test_what_is_not_free_is_refused_with_its_size_and_a_remedy(name: str) -> None:
    call, message = CALLS[name]
    with pytest.raises(MemoryError, match=message) as refused:
        call()
    assert "but 5e-06 GB of memory is free; " in str(refused.value)


@pytest.mark.parametrize("name", CALLS)
def test_what_is_free_is_computed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_memory, "LARGE", 1000)
    monkeypatch.setattr("ntkfast.kernels.LARGE", 1000)
    monkeypatch.setattr(_memory, "available", lambda: 2e8)
    CALLS[name][0]()


def test_given_outputs_are_not_counted(little: None) -> None:
    NET.ntk(X, out=np.empty((300, 300)))


def test_two_hundred_thousand_points_are_refused_before_anything_is_computed() -> None:
    x = np.broadcast_to(1.0, (2_000_000, 1))
    with pytest.raises(MemoryError, match=r"\(2000000, 2000000\) in float64 takes 32,000 GB"):
        NET.ntk(x)
    with pytest.raises(MemoryError, match="takes 32,000 GB"):
        FINITE.ntk(np.broadcast_to(1.0, (2_000_000, 3)))


def test_planes_of_images_are_compared_with_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    net = nk.Serial(nk.Conv((3, 3)), nk.Relu(), nk.AvgPool((2, 2)), nk.GlobalAvgPool())
    monkeypatch.setattr(_memory, "available", lambda: 1e8)
    with pytest.raises(MemoryError, match=r"images of this size need .* GB of memory per thread"):
        net.ntk(np.ones((1, 160, 160, 1)))
    assert net.ntk(np.ones((2, 8, 8, 1))).shape == (2, 2)


def test_small_calls_do_not_look_at_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    def looked() -> float:
        raise AssertionError("a small call has looked")

    monkeypatch.setattr(_memory, "available", looked)
    NET.ntk(X)
    nk.eigh(EYE)
    FINITE.jacobian(X)


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Any]], None]:
    """Return a function that writes the files of a machine with 64 GB, of which 40 GB are free."""
    monkeypatch.setattr(_memory, "_ROOT", tmp_path)

    def write(files: dict[str, Any]) -> None:
        meminfo = "MemTotal: 64000000 kB\nMemAvailable: 40000000 kB\nSwapFree: 0 kB\n"
        for name, text in ({"proc/meminfo": meminfo} | files).items():
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{text}\n")

    return write


def test_free_memory_is_that_of_the_machine(system: Callable[[dict[str, Any]], None]) -> None:
    system({})
    assert _memory.available() == 40_000_000 * 1024
    system({"proc/meminfo": "MemAvailable: 1000 kB\nSwapFree: 500 kB"})
    assert _memory.available() == 1500 * 1024


def test_groups_of_version_2(system: Callable[[dict[str, Any]], None]) -> None:
    system(
        {
            "proc/self/cgroup": "0::/pod/container",
            "sys/fs/cgroup/pod/memory.max": 10**9,
            "sys/fs/cgroup/pod/memory.current": 4 * 10**8,
            "sys/fs/cgroup/pod/memory.stat": "anon 7\ninactive_file 100000000",
            "sys/fs/cgroup/pod/container/memory.max": "max",
            "sys/fs/cgroup/pod/container/memory.current": 10**8,
        }
    )
    assert _memory.available() == 7 * 10**8


def test_groups_of_version_1(system: Callable[[dict[str, Any]], None]) -> None:
    system(
        {
            "proc/self/cgroup": "5:cpu:/a\n4:memory:/docker/abc\n0::/",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": 2 * 10**9,  # seen from the container
            "sys/fs/cgroup/memory/memory.usage_in_bytes": 5 * 10**8,
            "sys/fs/cgroup/memory/memory.stat": "total_inactive_file 300000000\ncache 9",
        }
    )
    assert _memory.available() == 18 * 10**8


def test_a_group_beyond_its_limit_leaves_nothing(system: Callable[[dict[str, Any]], None]) -> None:
    system(
        {
            "proc/self/cgroup": "0::/",
            "sys/fs/cgroup/memory.max": 1000,
            "sys/fs/cgroup/memory.current": 5000,
        }
    )
    assert _memory.available() == 0


def test_unreadable_files_are_no_limit(system: Callable[[dict[str, Any]], None]) -> None:
    system({"proc/self/cgroup": "0::/a", "sys/fs/cgroup/memory.max": "nonsense"})
    assert _memory.available() == 40_000_000 * 1024


def test_addresses_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(resource, "getrlimit", lambda which: (10**7, 10**8))
    monkeypatch.setattr(_memory, "_number", lambda file: 1000)
    assert _memory._of_addresses() == 10**7 - 1000 * resource.getpagesize()


def test_systems_without_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_memory, "_ROOT", tmp_path)
    sizes = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 1000}
    monkeypatch.setattr(_memory.os, "sysconf_names", dict.fromkeys(sizes, 0), raising=False)
    monkeypatch.setattr(_memory.os, "sysconf", sizes.__getitem__, raising=False)
    assert _memory.available() == 4096 * 1000
    monkeypatch.delattr(_memory.os, "sysconf_names")
    assert _memory.available() == np.inf
