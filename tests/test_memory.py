"""The memory of a call beyond its output, and the errors if memory is insufficient."""

import re
import sys

import pytest

from processes import run

# The memory that large calls take at their peak, and calls that find none left.
pytestmark = pytest.mark.alone

linux = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="memory is counted by /proc and RLIMIT_AS of Linux"
)

PEAK = """
    from pathlib import Path
    import numpy as np
    import ntkfast as nk

    def high_water_mark():  # not ru_maxrss: a new process inherits that
        (line,) = (s for s in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in s)
        return 1024 * int(line.split()[1])

    n, d = 2500, 784
    x = np.random.default_rng(0).standard_normal((n, d))
    out = [np.zeros((n, n)) for _ in range(2)]
    for array in out:
        array.fill(1)  # so that its memory is there
    network = nk.mlp(3, nk.Relu(), w_std=1.4, b_std=0.1)
    before = high_water_mark()
    network.{call}
    print(high_water_mark() - before - x.nbytes)
"""


@linux
@pytest.mark.parametrize(
    "call", ["ntk(x, out=out[0])", "kernels(x, out=tuple(out))", "ntk(x, diagonal=True)"]
)
def test_memory_beyond_input_and_output_is_a_copy_of_the_points_and_32_mb(call: str) -> None:
    result = run(PEAK.format(call=call))
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) <= 32 * 2**20


ESTIMATE = """
    from pathlib import Path
    import numpy as np
    import ntkfast as nk

    def high_water_mark():
        (line,) = (s for s in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in s)
        return 1024 * int(line.split()[1])

    x = np.random.default_rng(0).standard_normal({shape}).astype({dtype!r})
    network = nk.{network}
    nk.mlp(1).ntk(np.ones((600, 2)))  # starts the threads
    before = high_water_mark()
    network.kernels(x)
    peak = high_water_mark() - before
    print(peak, network.estimate(x, kernel="both").bytes)
"""


@linux
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    ("network", "shape"),
    [
        ("mlp(3)", (3000, 784)),
        ("mlp(10)", (3000, 5)),
        ("cntk(3, pooling=False)", (100, 28, 28, 3)),
        ("cntk(2)", (40, 16, 16, 3)),
        (
            "Serial(nk.Conv((3, 3)), nk.Tanh(), nk.Conv((3, 3)), nk.Tanh(), nk.Flatten())",
            (20, 28, 28, 1),
        ),
    ],
)
def test_estimated_memory_is_that_of_the_call(
    network: str, shape: tuple[int, ...], dtype: str
) -> None:
    result = run(ESTIMATE.format(network=network, shape=shape, dtype=dtype))
    assert result.returncode == 0, result.stderr
    peak, estimated = map(int, result.stdout.split())
    slack = 8 * 2**20
    assert estimated / 1.5 - slack <= peak <= 1.5 * estimated + slack, (peak, estimated)


LEARN = """
    from pathlib import Path
    import numpy as np
    import ntkfast as nk

    def high_water_mark():
        (line,) = (s for s in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in s)
        return 1024 * int(line.split()[1])

    n, d = 2500, 20
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((n, d)), rng.standard_normal((n, 10))
    {prepare}
    model = nk.sklearn.{model}
    before = high_water_mark()
    model.fit(x, y).predict(x[::-1])
    print((high_water_mark() - before - 32 * 2**20) / (8 * n**2))
"""


@linux
@pytest.mark.parametrize(
    ("model", "prepare", "matrices"),
    [
        ("NTKRegressor(diag_reg=1.0)", "", 1.5),  # a factor in float32 is enough
        ("NTKRegressor()", "x[1] = x[0]", 2.0),  # it is not: the kernel and its factor
        ("NNGPRegressor()", "", 2.0),
    ],
)
def test_fitting_and_predicting_need_the_kernel_and_its_factor_and_32_mb(
    model: str, prepare: str, matrices: float
) -> None:
    result = run(LEARN.format(model=model, prepare=prepare))
    assert result.returncode == 0, result.stderr
    assert float(result.stdout) <= matrices


LIMITED = """
    import resource
    from pathlib import Path
    import numpy as np
    import ntkfast as nk

    network = nk.mlp(3, nk.Relu(), w_std=1.4, b_std=0.1)
    x = np.random.default_rng(0).standard_normal((300, 5))
    k = network.ntk(x)
    # Stacks, and the small scratch that faer takes once a thread and without asking, are there now.
    before = nk.eigh(k).eigenvalues
    a, c = np.eye(3000), nk.cholesky(np.eye(3000))
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + 40 * 2**20
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    for _ in range(3):
        try:
            {call}
        except MemoryError as error:
            print(error)
    assert np.array_equal(network.ntk(x), k)
    assert np.array_equal(nk.eigh(k).eigenvalues, before)
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    assert nk.cholesky(a).n == 3000
"""
MESSAGE = "cannot allocate %s GB of memory: use fewer points, or float32"


@linux
@pytest.mark.parametrize(
    ("call", "gigabytes"),
    [
        ("nk.eigh(a)", r"0\.\d"),
        ("nk.cholesky(a)", r"0\.\d"),
        ("c.solve(a)", r"0\.\d"),
        ("nk.Dense().ntk(np.broadcast_to(1.0, (2, 2**45)))", r"562950\.0"),
    ],
    ids=["eigh", "cholesky", "solve", "ntk"],
)
def test_memory_that_is_not_there_is_an_error_and_not_the_end(call: str, gigabytes: str) -> None:
    result = run(LIMITED.format(call=call), NTKFAST_NUM_THREADS="1")
    assert result.returncode == 0, result.stderr
    said = result.stdout.splitlines()
    assert len(said) == 3
    assert all(re.fullmatch(MESSAGE % gigabytes, line) for line in said), said
