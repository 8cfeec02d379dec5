"""``ntkfast gram``: a kernel matrix from a file of points, written to a file of any size."""

from __future__ import annotations

import argparse
import io
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

import ntkfast as nk
from ntkfast._arrays import FloatArray, check_finite
from ntkfast._atomic import destination, replacing
from ntkfast._quantities import in_bytes, in_seconds
from ntkfast.cli._points import read_points
from ntkfast.cli._resumable import Job, run
from ntkfast.cli._unfinished import refuse_existing
from ntkfast.cli._workers import blocks, connected, strips
from ntkfast.cli._zarr import ZarrJob, is_zarr, run_zarr, zarr_package
from ntkfast.kernels import as_samples
from ntkfast.networks.named import named_activation
from ntkfast.networks.rates import measure, workload

if TYPE_CHECKING:
    from argparse import _SubParsersAction

__all__ = ["add_parser"]

_DESCRIPTION = """\
Compute the kernel matrix of the points in IN, one per row, and write it to OUT in
NumPy's format, or as a Zarr array. The whole matrix is never in memory. Until it is
complete, the file is called OUT.part. If a run is interrupted, run the same command
again to resume it.
"""

_EXAMPLES = """\
examples:
  ntkfast gram x.npy k.npy --depth 3 --w-std 1.4142       NTK of a ReLU network, three hidden layers
  ntkfast gram x.csv k.npy --network net.toml             any network, see below
  ntkfast gram x.npy k.npy --depth 2 --kernel nngp --dtype float32
  ntkfast gram x.npy --depth 3 --estimate                 time and memory, without computing it
  ntkfast gram x.npy k.npy --depth 3 --kernel both        nngp, ntk = numpy.load("k.npy")
  ntkfast gram test.npy k.npy --x2 train.npz:images --depth 3
  ntkfast gram x.npy k.zarr --depth 3 --dask 4            a Zarr array, by four workers of Dask
  ntkfast gram x.npy k.npy --depth 3                      run again to resume after an interruption

a network in a file, TOML or JSON, in the format of Network.to_dict:
  type = "Serial"
  layers = [{type = "Dense", w_std = 1.5}, {type = "Erf"}, {type = "Dense", w_std = 1.5}]
"""

_MOST_THREADS = 4096  # as in the core


def add_parser(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "gram",
        help="compute a kernel matrix from a file of points",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("points", metavar="IN", help="points: .npy, .npz (FILE.npz:NAME for one array) or .csv")
    add("out", metavar="OUT", type=Path, nargs="?", help="the matrix, .npy or .zarr")
    add(
        "--kernel",
        choices=["ntk", "nngp", "both"],
        default="ntk",
        help="default: %(default)s; both in one pass, in one file of shape (2, n, m): NNGP, NTK",
    )
    add("--network", metavar="FILE", type=Path, help="the network, .toml or .json")
    add("--depth", metavar="N", type=int, help="hidden layers of a multilayer perceptron")
    add("--activation", metavar="NAME", help="activation, such as erf (default: relu)")
    add("--w-std", metavar="S", type=float, help="standard deviation of weights (default: 1)")
    add("--b-std", metavar="S", type=float, help="standard deviation of biases (default: no bias)")
    add("--x2", metavar="FILE", help="compute the kernel between the points of IN and of FILE")
    add("--diagonal", action="store_true", help="only the kernel of each point with itself")
    add("--dtype", choices=["float64", "float32"], help="default: that of IN")
    add("--threads", metavar="N", type=int, help="default: all hardware threads")
    add(
        "--dask",
        metavar="ADDRESS",
        help="let the workers of a Dask scheduler compute; a number: so many on this machine",
    )
    add("--estimate", action="store_true", help="only print the cost; write nothing")
    add(
        "--force",
        action="store_true",
        help="overwrite OUT, and discard an unfinished run of another kernel",
    )
    parser.set_defaults(run=lambda arguments: _run(arguments, parser))


def _run(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    _check(arguments, parser)
    if not arguments.estimate:
        refuse_existing(arguments.out, force=arguments.force)
    try:
        network = _network(arguments)
        zarr = arguments.out is not None and arguments.out.suffix.lower() == ".zarr"
        if zarr and not arguments.estimate:
            zarr_package()
        x = _samples(arguments.points, network)
        x2 = None if arguments.x2 is None else _samples(arguments.x2, network)
        if x2 is not None and x2.shape[1:] != x.shape[1:]:
            raise ValueError(
                f"{arguments.x2} has points of shape {x2.shape[1:]}; expected {x.shape[1:]}, as in "
                f"{arguments.points}"
            )
        types = [x.dtype, *([] if x2 is None else [x2.dtype])]
        dtype = np.dtype(arguments.dtype or np.result_type(*types))
        x = _converted(x, dtype, arguments.points)
        x2 = None if x2 is None else _converted(x2, dtype, arguments.x2)
        if arguments.threads is not None:
            nk.set_num_threads(arguments.threads)
        out: Path = arguments.out or Path()  # of an estimate, for which it is not used
        job = (ZarrJob if zarr else Job)(network, arguments.kernel, x, x2, out)
        if arguments.estimate:
            _announce(job, job.finished(force=True) if arguments.out else 0)
        elif arguments.diagonal:
            _diagonal(job, force=arguments.force)
        elif arguments.dask is not None:
            with connected(arguments.dask):
                _matrix(job, force=arguments.force, workers=True)
        else:
            _matrix(job, force=arguments.force)
    except (ValueError, TypeError, ImportError) as error:
        print(f"ntkfast: {error}", file=sys.stderr)
        return 1
    return 0


def _check(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """Reject invalid combinations of arguments before any work."""
    of_mlp = ("activation", "w_std", "b_std")
    if arguments.network is None and arguments.depth is None:
        parser.error("no network given; use --network FILE or --depth N")
    if arguments.network is not None:
        for name in ("depth", *of_mlp):
            if getattr(arguments, name) is not None:
                option = name.replace("_", "-")
                parser.error(f"--{option} cannot be combined with --network; drop one of them")
    if arguments.diagonal and arguments.x2 is not None:
        parser.error("--diagonal uses only the points of IN and cannot be combined with --x2")
    if arguments.threads is not None and not 1 <= arguments.threads <= _MOST_THREADS:
        parser.error(f"--threads {arguments.threads}: expected at least 1, at most {_MOST_THREADS}")
    if arguments.dask is not None and (arguments.diagonal or arguments.estimate):
        other = "--diagonal" if arguments.diagonal else "--estimate"
        parser.error(f"--dask is for matrices and cannot be combined with {other}")
    if arguments.estimate and arguments.diagonal:
        parser.error("--estimate is for matrices and cannot be combined with --diagonal")
    if arguments.out is not None:
        _check_out(arguments.out, arguments, parser)
    elif not arguments.estimate:
        parser.error("no OUT given; name the file for the matrix, or use --estimate")


def _check_out(out: Path, arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """Reject files that cannot be written."""
    zarr = out.suffix.lower() == ".zarr"
    if out.suffix.lower() != ".npy" and not zarr:
        parser.error(f"OUT is {out}; expected a name that ends with .npy or .zarr")
    if zarr and arguments.diagonal:
        parser.error(f"OUT is {out}; --diagonal is written to files that end with .npy")
    if out.resolve() in [Path(name).resolve() for name in (arguments.points, arguments.x2 or "")]:
        parser.error(f"OUT is {out}, the same file as IN or --x2; choose another name")
    if not (folder := destination(out).parent).is_dir():
        parser.error(f"OUT is {out}: {folder} is not a folder")
    if zarr and out.exists() and not is_zarr(out):
        parser.error(f"OUT is {out}, which is not a Zarr array; choose another name")
    if out.is_dir() and not zarr:
        parser.error(f"OUT is {out}, which is a folder")
    if out.exists() and not out.is_file() and not zarr:
        parser.error(f"OUT is {out}, which is not a regular file; its rows are written in place")


def _network(arguments: argparse.Namespace) -> nk.Network:
    if arguments.network is not None:
        return nk.Network.from_file(arguments.network)
    name = arguments.activation or "relu"
    complaint = (
        f"--activation {name}: expected the name of an activation without parameters; use a "
        "--network file for others; the names are "
    )
    activation = named_activation(name, complaint)
    w_std = 1.0 if arguments.w_std is None else arguments.w_std
    try:
        return nk.mlp(arguments.depth, activation, w_std=w_std, b_std=arguments.b_std)
    except ValueError as error:
        message = str(error)
        for name in ("mlp: depth", "Dense: w_std", "Dense: b_std"):
            message = message.replace(name, f"--{name.partition(': ')[2].replace('_', '-')}")
        raise ValueError(message) from None


def _samples(text: str, network: nk.Network) -> FloatArray:
    """Read points; errors about points that the network does not accept name their file."""
    x = read_points(text)
    as_samples(network._program, x, text, network._rank)
    return x


def _converted(x: FloatArray, dtype: np.dtype[Any], text: str) -> FloatArray:
    """Return points in another type, which must have numbers as large as theirs."""
    with np.errstate(over="ignore"):
        converted: FloatArray = x.astype(dtype, copy=False)
    if converted is not x:
        check_finite(converted, f"{text}, converted to {dtype},")
    return converted


def _diagonal(job: Job, *, force: bool) -> None:
    begun = time.perf_counter()
    content = io.BytesIO()  # NumPy's own writing to files does not say why it fails
    diagonals = job.evaluate(job.x, None, diagonal=True)
    np.save(content, np.reshape(diagonals, (*job.leading, len(job.x))))
    try:
        with replacing(job.out, overwrite=force) as file:
            file.write(content.getbuffer())
    except FileExistsError:
        raise FileExistsError(f"{job.out} already exists; use --force to overwrite it") from None
    numbers = len(diagonals) * len(job.x)
    print(f"{job.out}   {numbers:,} numbers   {in_seconds(time.perf_counter() - begun)}")


def _announce(job: Job, rows: int) -> None:
    """Print what will be computed, and what it will cost after so many rows are there."""
    n, m = job.shape
    kernels = " and ".join(kernel.upper() for kernel in job.wanted)
    print(
        f"network    {job.network!r}\n"
        f"output     {kernels}, {n:,} x {m:,}, {job.x.dtype}: {in_bytes(job.size)}",
        flush=True,
    )
    # Preparing the network for all points and the measurement may take a while.
    block, unit = job.memory
    inputs = sum(2 * array.nbytes for array in (job.x, job.x2) if array is not None)
    work = workload(job.prepared, m, job.rows_a_block, job.wanted).bytes
    print(
        f"memory     {in_bytes(inputs + block + work)}: two copies of the points, "
        f"{unit}, {in_bytes(work)} of work",
        flush=True,
    )
    print(f"estimate   {in_seconds(_expected(job, rows))} plus the time of the disk", flush=True)


def _matrix(job: Job, *, force: bool, workers: bool = False) -> None:
    rows = job.finished(force=force)
    job.check_room()
    n, _ = job.shape
    _announce(job, rows)
    if rows:
        print(f"resuming   after row {rows:,} of {n:,}", flush=True)
    begun = time.perf_counter()
    try:
        with _bar(job, rows) as on_pairs:
            if isinstance(job, ZarrJob):
                run_zarr(job, on_pairs, force=force, elsewhere=blocks if workers else None)
            else:
                run(job, on_pairs, force=force, elsewhere=strips if workers else None)
    except KeyboardInterrupt:
        print(
            f"\nntkfast: {job.part} is unfinished; run the same command again to resume",
            file=sys.stderr,
        )
        raise
    print(f"{job.out}   {in_seconds(time.perf_counter() - begun)}")


def _expected(job: Job, rows: int) -> float:
    """Estimate the seconds for the rows that are not there yet."""
    rates = measure(job.prepared, job.x, job.x2, job.shape, job.wanted)
    n, m = job.shape
    work = workload(job.prepared, n, None if job.x2 is None else m, job.wanted)
    left = 1 - job.pairs(rows) / max(job.pairs(n), 1)
    rest = work._replace(samples=job.samples(rows), pairs=work.pairs * left)
    return rates.seconds(rest, job.size * left)


@contextmanager
def _bar(job: Job, rows: int) -> Iterator[Callable[[int], object]]:
    """Yield a function that shows progress: a bar on a terminal with tqdm."""
    try:
        from tqdm import tqdm
    except ImportError:
        yield lambda _: None
        return
    total, begun = job.pairs(job.shape[0]), job.pairs(rows)
    bar: tqdm[NoReturn]
    with tqdm(
        total=total,
        initial=begun,
        unit=" entries",
        unit_scale=True,
        delay=1,
        leave=False,
        disable=not sys.stderr.isatty(),
    ) as bar:
        yield lambda pairs: bar.update(pairs - bar.n)
