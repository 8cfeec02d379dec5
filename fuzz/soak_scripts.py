"""The processes that `soak.py` starts: each a text for ``python -c``."""

# Saves arrays of one number each, of several sizes; prints the number of the last one on disk.
SAVE = """
import os, sys, threading, numpy as np, ntkfast as nk
def failed(arguments):
    sys.excepthook(*arguments[:3])
    os._exit(1)
threading.excepthook = failed
path, first, count, threads = sys.argv[1], *map(int, sys.argv[2:])
def save(first):
    for i in range(first, first + count):
        nk.save(path, nk.Normal(np.full(20_000 + 1000 * (i % 100), float(i))))
        print(i, flush=True)
workers = [threading.Thread(target=save, args=(first + 100 * i,)) for i in range(threads)]
for worker in workers: worker.start()
for worker in workers: worker.join()
"""

# The command in blocks of 64 rows, so that it records its progress often.
GRAM = """
import sys
from ntkfast.cli import _resumable, main
_resumable._BLOCK = 1
sys.exit(main(["gram", *sys.argv[1:]]))
"""

FORK = """
import os, sys, threading, numpy as np, ntkfast as nk
path, children = sys.argv[1], int(sys.argv[2])
x = np.random.default_rng(0).standard_normal((300, 5))
net = nk.mlp(2, nk.Erf())
expected, stop = net.ntk(x), threading.Event()
def work():
    while not stop.is_set():
        nk.save(path, nk.Normal(np.full(5000, 1.0)))
        assert (net.ntk(x) == expected).all()
def failed(arguments):
    sys.excepthook(*arguments[:3])
    os._exit(1)
threading.excepthook = failed
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads: thread.start()
pids = []
for i in range(children):
    pid = os.fork()
    if not pid:
        try:
            good = (net.ntk(x) == expected).all()
            nk.save(path, nk.Normal(np.full(7000, float(i))))
            mean = nk.load(path).mean
            os._exit(0 if good and (mean == mean[0]).all() else 1)
        finally:
            os._exit(2)
    pids.append(pid)
codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
stop.set()
for thread in threads: thread.join()
sys.exit(f"forked processes ended with {codes}" if any(codes) else 0)
"""

# A process for each limit, given as bytes more than the package takes itself.
LIMITED = """
import os, resource, sys, tempfile, numpy as np, ntkfast as nk
from pathlib import Path
x = np.random.default_rng(0).standard_normal((400, 6))
images = x.reshape(25, 4, 4, 6)
theta, y, folder = np.eye(400) + x @ x.T, x[:, 0], Path(sys.argv[1])
call, *extras = sys.argv[2:]
nk.save(folder / "saved", nk.Normal(np.ones(200_000)))
for extra in extras:
    pid = os.fork()
    if not pid:
        code = 2
        try:
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            limit = pages * os.sysconf("SC_PAGE_SIZE") + int(extra)
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
            result = eval(call)
            code = 0
        except MemoryError:
            code = 3
        except BaseException as error:
            os.write(2, f"{type(error).__name__}: {error}\\n".encode())
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code not in (0, 3):
        sys.exit(f"{call} with {int(extra):,} more bytes ended with {code}")
"""
CALLS = (
    "nk.mlp(3).ntk(x)",
    "nk.mlp(3, nk.Tanh()).kernels(x, x[:100])",
    "nk.cntk(2).ntk(images)",
    "nk.eigh(theta)",
    "nk.cholesky(theta)",
    "nk.GradientFlow(theta, y).predict(theta, t=[1.0, 2.0])",
    "nk.KernelRegression(theta, y).predict(theta)",
    "nk.save(folder / 'own', nk.eigh(theta))",
    "nk.load(folder / 'saved')",
    "nk.finite.init(nk.mlp(2), 6, 0, width=200).ntk(x[:50])",
)
