"""What a cluster of Dask would compute and move, counted from the graphs of tasks.

A product of a kernel with c vectors, and a Gram matrix as a dask array, for a million points on 2,
8 and 64 workers: nothing is computed. Tasks are given to workers as Dask does, each to the one that
is free first, or that has most of what it needs. The counts fill the table on the page. With
``--check``, the same counts are compared with what local clusters of 2 and 4 workers record: the
entries of the blocks that each holds, and the bytes that came from other workers.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
from distributed import Client, LocalCluster
from harness import base_parser, machine, positive, write_json
from pages import fill, line

import ntkfast as nk
from ntkfast.dask import tasks
from ntkfast.operators import _tasks, distributed

NETWORK = nk.mlp(1)
PAGE = Path(__file__).parent.parent / "docs" / "dask.md"


@dataclass
class Count:
    """What the workers do and receive from each other."""

    work: str
    workers: int
    tasks: int = 0
    entries: list[int] = field(default_factory=list)
    received: list[int] = field(default_factory=list)
    """Bytes of vectors, and of shares of products, from other workers."""
    points: list[int] = field(default_factory=list)
    """Bytes of points, which a worker receives once."""


@dataclass(frozen=True)
class Item:
    """A task of a graph: what it needs, what it computes and returns."""

    needs: tuple[Any, ...]
    entries: int
    size: int
    points: bool = False
    worker: int | None = None
    """Where it must run, because blocks are kept there."""


def simulated(items: Mapping[Any, Item], work: str, workers: int) -> Count:
    """Give tasks to workers in the order of the graph, and count."""
    zeros = [0] * workers
    found = Count(work, workers, 0, zeros.copy(), zeros.copy(), zeros.copy())
    holds: list[set[Any]] = [set() for _ in range(workers)]
    for key, item in items.items():
        missing = [[need for need in item.needs if need not in held] for held in holds]
        costs = [sum(items[need].size for need in needs) for needs in missing]
        if item.worker is not None:
            here = item.worker
        elif item.entries:  # the worker with least work
            here = min(range(workers), key=lambda w: (found.entries[w], costs[w]))
        else:  # that with most of what it needs
            here = min(range(workers), key=lambda w: (costs[w], len(holds[w])))
        for need in missing[here]:
            (found.points if items[need].points else found.received)[here] += items[need].size
        found.tasks += not item.points
        found.entries[here] += item.entries
        holds[here] |= {key, *item.needs}
    return found


def tasks_of_product(op: Any, vectors: np.ndarray) -> dict[Any, Item]:
    """Return the tasks of a product, from its graph."""
    shares = op._shares(vectors, "symmetric")
    graph = dict(shares[0].dask)
    workers = list(dict.fromkeys(keeper for _, keeper in op._groups()))
    keepers = {run[0]: workers.index(keeper) for run, keeper in op._groups()}
    points = op._remote.key
    items: dict[Any, Item] = {points: Item((), 0, op.x.nbytes, points=True)}
    width = 8 * vectors.shape[1]
    for key, task in graph.items():
        if not isinstance(task, tuple):
            continue  # what workers keep
        call, *arguments = task
        if call is tasks.given:
            items[key] = Item((), 0, vectors.nbytes)
        elif call is _tasks.multiplied:
            _, kept, batches, needed, form = arguments
            first_batch = op._batches().index(batches[0])
            keeper = keepers[first_batch] if kept[0] is not None else None
            first, last = _tasks.span(op, (batches[0][0], batches[-1][1]), form)
            entries = sum(op._size(batch) for batch in batches) // op.dtype.itemsize
            size = (last - first) * width
            items[key] = Item((needed, points), entries, size, worker=keeper)
        elif call is _tasks.added:
            (parts,) = arguments
            items[key] = Item(tuple(parts), 0, max(items[part].size for part in parts))
    return items


def tasks_of_gram(points: int, features: int, chunk: int) -> dict[Any, Item]:
    """Return the tasks of a Gram matrix in float32 as a dask array, from its graph."""
    x = da.zeros((points, 1), chunks=(chunk, 1), dtype=np.float32)
    kernel: Any = NETWORK.ntk(x)
    rows = kernel.chunks[0]
    items = {i: Item((), 0, 4 * size * features, points=True) for i, size in enumerate(rows)}
    for key, task in dict(kernel.dask.layers[kernel.name]).items():
        _, i, j = key
        if len(task) == 2:  # a transpose
            items[key] = Item((task[1],), 0, 4 * rows[i] * rows[j])
        else:
            entries = rows[i] * rows[j] if i != j else rows[i] * (rows[i] + 1) // 2
            items[key] = Item((i, j), entries, 4 * rows[i] * rows[j])
    return items


def operator(points: int, features: int) -> Any:
    """Return an operator whose workers have the points, and keep nothing."""
    x = da.zeros((points, 1), chunks=(points, 1), dtype=np.float32)
    op: Any = nk.KernelOperator(NETWORK, x, memory=0)
    op.x = np.broadcast_to(np.zeros((), np.float32), (points, features))
    op._remote = dask.delayed(None, name="points")
    return op


def counts(points: int, features: int, columns: int) -> list[Count]:
    """Count both works on clusters of all sizes."""
    product = tasks_of_product(operator(points, features), np.zeros((points, columns)))
    gram = tasks_of_gram(points, features, 4992)
    return [
        simulated(items, work, workers)
        for work, items in (("product", product), ("gram", gram))
        for workers in (2, 8, 64)
    ]


def _received(dask_worker: Any) -> int:
    return sum(record["total"] for record in dask_worker.transfer_incoming_log)


def check(points: int, columns: int) -> None:
    """Print counts beside what local clusters record."""
    distributed._SMALL = 0  # workers add shares, as they add those of a million points
    rng = np.random.default_rng(0)
    lazy = da.from_array(
        rng.standard_normal((points, 20)).astype(np.float32), chunks=(points // 8, 20)
    )
    vectors = rng.standard_normal((points, columns))
    for workers in (2, 4):
        with (
            LocalCluster(
                n_workers=workers, threads_per_worker=1, dashboard_address="127.0.0.1:0"
            ) as cluster,
            Client(cluster) as client,
        ):
            for memory in (0, None):
                op: Any = nk.KernelOperator(NETWORK, lazy, memory=memory)
                op @ vectors
                before = sum(client.run(_received).values())
                op @ vectors
                moved = sum(client.run(_received).values()) - before
                found = simulated(tasks_of_product(op, vectors), "product", workers)
                sizes = [op._size(batch) // op.dtype.itemsize for batch in op._batches()]
                held = {task.key: size for task, size in zip(op._kept, sizes, strict=False)}
                own = [sum(held.get(key, 0) for key in keys) for keys in client.has_what().values()]
                print(
                    f"{workers} workers, {'computed' if memory == 0 else 'kept'} blocks: "
                    f"{moved / 1e6:.1f} MB from other workers, counted "
                    f"{sum(found.received) / 1e6:.1f}; kept entries {sorted(own)}, "
                    f"counted {sorted(found.entries)}",
                    flush=True,
                )


def table(found: Sequence[Count]) -> str:
    """Return the counts as a table in Markdown."""
    head = ["work", "workers", "tasks", "entries", "points, once", "vectors and shares", "all"]
    lines = [line(head), line(["---"] * len(head))]
    for each in found:
        cells = [
            each.work,
            str(each.workers),
            f"{each.tasks:,}",
            f"{max(each.entries) / 1e9:,.1f}·10⁹",
            f"{max(each.points) / 1e9:.2f} GB",
            f"{max(each.received) / 1e9:.2f} GB",
            f"{sum(each.received) / 1e9:.1f} GB",
        ]
        lines.append(line(cells))
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Count, print and fill the page; with --check, measure."""
    arguments = _parser().parse_args(argv)
    if arguments.check:
        check(arguments.check_points, arguments.columns)
        return 0
    found = counts(arguments.points, arguments.features, arguments.columns)
    print(table(found))
    PAGE.write_text(fill(PAGE.read_text(), table(found), "scaling"))
    rows = [asdict(each) for each in found]
    write_json(arguments.output, {"settings": {"machine": machine()}, "rows": rows})
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = base_parser(__doc__, "scaling", repetitions=1)
    parser.add_argument("--points", type=positive, default=1_000_000)
    parser.add_argument("--features", type=positive, default=784)
    parser.add_argument("--columns", type=positive, default=10)
    parser.add_argument("--check", action="store_true", help="measure on local clusters instead")
    parser.add_argument("--check-points", type=positive, default=20_000)
    return parser


if __name__ == "__main__":
    sys.exit(main())
