"""Results in files: NPZ archives of arrays, with a JSON header that describes them.

A file contains only the fields of frozen dataclasses, or the parameters and fitted attributes of
estimators. Reading builds objects of the classes in `_saved.py` from them. It runs
no code that a file contains or names.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ntkfast._annotations import fits
from ntkfast._atomic import replacing
from ntkfast._ntkfast import info
from ntkfast._saved import DERIVED, class_named, parts
from ntkfast.data.files import read_npz
from ntkfast.networks import Network
from ntkfast.operators import Operator
from ntkfast.solvers import ConjugateGradients, PreparedByProducts, SingleCholeskySolver

__all__ = ["load", "save"]

_FORMAT, _VERSION = "ntkfast", 2
_HEADER = "header"

# What building an object raises where the file has values that `save` would not have written.
_DAMAGE = ValueError, TypeError, LookupError, ArithmeticError, AttributeError, RecursionError


def save(path: str | PathLike[str], value: object) -> None:
    """Write a result, or a network, to a file that `load` reads.

    The file is an NPZ archive. ``numpy.load`` also reads its arrays, under the names of their
    fields, and a JSON header as bytes. The file is written under a temporary name first, so a
    partial file never exists, whatever else writes to the same path. It replaces an existing file
    with the same name and keeps its permissions. Of a symbolic link it replaces the target.

    Parameters
    ----------
    path
        The file to write. No extension is appended.
    value
        A `Network`, `Kernels`, `Spectrum`, `Cholesky`, `GradientFlow`, `GradientDescent`,
        `KernelRegression`, `LinearModel`, `LossFlow`, `Trajectory`, `Ensemble`, `Posterior`,
        `Normal`, `theory.MeanField`, `theory.EdgeOfChaos`, a solver of `ntkfast.solvers` or a
        prepared system, except those by products, one of the results of `ntkfast.finite`, or an
        estimator or kernel of `ntkfast.sklearn`, fitted or not.

    Raises
    ------
    OSError
        The file cannot be written. The error has its name as ``filename``.
    TypeError
        A value of another type, or one that contains a function: an `Elementwise` network or a loss
        of your own. Functions cannot be saved. Classifier labels that are neither numbers nor text.
        A system of `solvers.ConjugateGradients` or `solvers.SingleCholeskySolver`, or what was
        trained by them.
        Pipelines and estimators of other packages; use `joblib.dump` for these, or save the step.

    Notes
    -----
    Attributes that are computed on first access, and can be computed again, are not written, except
    for ``Ensemble.flow``.

    A process that is killed while it writes leaves a file ``.NAME.….tmp`` in the same folder. The
    next `save` to the same path removes it, unless another living process is writing it.

    Examples
    --------
    >>> import tempfile
    >>> from ntkfast import eigh
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(f"{folder}/spectrum.npz", eigh([[2.0, 0.0], [0.0, 1.0]]))
    ...     load(f"{folder}/spectrum.npz")
    Spectrum(n=2, eigenvalues from 1 to 2, condition number 2, rank 2, float64)
    """
    if not isinstance(path, (str, PathLike)):
        swapped = isinstance(value, (str, PathLike))
        raise TypeError(
            f"path is of type {type(path).__name__}; expected the name of a file"
            + (f", and value is {str(value)!r}; the order is save(path, value)" if swapped else "")
        )
    arrays: dict[str, npt.NDArray[Any]] = {}
    header = {
        "format": _FORMAT,
        "format_version": _VERSION,
        "version": info()["version"],
        "content": _encoded(value, (), arrays),
    }
    text = json.dumps(header, ensure_ascii=False, allow_nan=False)
    members: dict[str, Any] = {_HEADER: np.frombuffer(text.encode(), np.uint8), **arrays}
    with replacing(Path(path)) as file:
        np.savez(file, **members)


def load(path: str | PathLike[str]) -> Any:
    """Read a file that `save` wrote.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    object
        An object of the class that was saved. Its arrays have the same bits.

    Raises
    ------
    OSError
        The file cannot be opened.
    ValueError
        The file is damaged, truncated, not written by `save`, or has a format version that this
        version of ntkfast does not read.
    ImportError
        The file contains an estimator and scikit-learn is not installed; install the extra
        `sklearn`.

    Notes
    -----
    No code is run, whatever the file contains. Arrays are numbers, and only the classes of ntkfast
    that `save` supports are created from them. Arrays are not compressed, as `save` writes them, so
    together they take no more memory than the file has bytes.
    """
    arrays = read_npz(path, compressed=False)
    if _HEADER not in arrays:
        raise ValueError(
            f"{path} was not written by save: it has no header, but it has the arrays "
            f"{', '.join(arrays) or '(none)'}; read them with ntkfast.data.load_npz"
        )
    try:
        header = json.loads(arrays.pop(_HEADER).tobytes())
        if header["format"] != _FORMAT or not isinstance(header["format_version"], int):
            raise ValueError("it belongs to another program")
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ValueError(
            f"{path} was not written by save: its header cannot be read ({error})"
        ) from None
    if header["format_version"] != _VERSION:
        newer = header["format_version"] > _VERSION
        raise ValueError(
            f"{path} is in format version {header['format_version']}, written by ntkfast "
            f"{header.get('version')}; this is ntkfast {info()['version']}, which reads format "
            f"version {_VERSION} only: "
            + ("install a newer ntkfast" if newer else "compute the result again and save it")
        )
    try:
        value = _decoded(header.get("content"), arrays)
    except _DAMAGE as error:
        raise ValueError(f"{path} is damaged: {error}") from None
    if arrays:
        raise ValueError(f"{path} is damaged: nothing refers to its array {min(arrays)!r}")
    return value


def _encoded(value: object, place: tuple[str, ...], arrays: dict[str, npt.NDArray[Any]]) -> Any:
    """Return `value` in a form for JSON and add its arrays to `arrays`, by their field names."""
    if isinstance(value, np.generic) and value.dtype.kind in "biufU":
        value = value.item()
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"float": str(value)}
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufU":
        name = ".".join(place) or "array"
        arrays[name] = value
        return {"array": name}
    if isinstance(value, np.ndarray) and _is_text(value):
        return {"strings": value.tolist()}
    if isinstance(value, Network):
        return {"network": value.to_dict()}
    if isinstance(value, (tuple, list)):
        kind, entries = type(value).__name__, enumerate(value)
        return {kind: [_encoded(item, (*place, str(i)), arrays) for i, item in entries]}
    if isinstance(value, dict):
        items = enumerate(value.items())
        named = {key: _encoded(item, (*place, str(i)), arrays) for i, (key, item) in items}
        return {"dict": named}
    name = type(value).__name__
    if class_named(name) is type(value):
        state = {key: _encoded(item, (*place, key), arrays) for key, item in _state(value)}
        return {"object": name, "fields": state}
    where = f"{'.'.join(place)} is" if place else "value is"
    raise TypeError(_refusal(where, value))


def _refusal(where: str, value: object) -> str:
    """Say what cannot be saved, and what can be done with it."""
    name = type(value).__name__
    ours = any(class_named(base.__name__) is base for base in type(value).__mro__)
    if not ours and hasattr(value, "get_params") and callable(getattr(value, "fit", None)):
        if hasattr(value, "steps"):
            part = "the fitted step, such as pipeline[-1], which takes transformed features"
        elif hasattr(value, "best_estimator_"):
            part = "its best_estimator_"
        else:
            part = "an estimator of ntkfast.sklearn"
        return (
            f"{where} of type {name}, an estimator of another package: write it with joblib.dump "
            f"or pickle, or save {part}"
        )
    if isinstance(value, (ConjugateGradients, SingleCholeskySolver, PreparedByProducts, Operator)):
        advice = (
            "operators and what products solved cannot be saved; save the coefficients, "
            "or of an estimator its mean_only(), with set_params(solver='cg') if its solver is an "
            "object, or use pickle"
        )
    elif callable(value):
        advice = "functions cannot be saved"
    else:
        advice = "expected a network or a result"
    return f"{where} {value!r}, of type {name}; {advice}"


def _state(value: Any) -> Iterator[tuple[str, object]]:
    """Yield the parts of an object of a known class."""
    always, sometimes = parts(type(value))
    yield from ((name, getattr(value, name)) for name in always)
    yield from ((name, vars(value)[name]) for name in sometimes if name in vars(value))


def _decoded(data: Any, arrays: dict[str, npt.NDArray[Any]]) -> Any:
    """Return the value that `_encoded` was given; arrays are removed from `arrays`."""
    if not isinstance(data, dict):
        if isinstance(data, list):
            raise ValueError("it has a list where a list is not allowed")
        return data
    kind, *others = data
    content = data[kind]
    if kind == "object" and others == ["fields"]:
        return _object(content, data["fields"], arrays)
    if others:
        raise ValueError(f"its header has an entry of the unknown kind {sorted(data)}")
    if kind == "float":
        return {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}[content]
    if kind == "array":
        if content not in arrays:
            raise ValueError(f"its array {content!r} is missing")
        return arrays.pop(content)
    if kind == "network":
        return Network.from_dict(content)
    if kind == "strings":
        strings = np.empty(len(content), dtype=object)
        strings[:] = content
        if _is_text(strings):
            return strings
    if kind in ("tuple", "list"):
        items = [_decoded(item, arrays) for item in content]
        return items if kind == "list" else tuple(items)
    if kind == "dict":
        return {key: _decoded(item, arrays) for key, item in content.items()}
    raise ValueError(f"its header has an entry of the unknown kind {kind!r}")


def _object(name: str, state: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> Any:
    """Return an object of a known class, with fields of the types that it is annotated with."""
    class_ = class_named(name)
    if class_ is None:
        raise ValueError(f"it needs an unknown class {name!r}")
    always, sometimes = parts(class_)
    if not always.keys() <= state.keys() <= always.keys() | sometimes.keys():
        raise ValueError(f"{name} has the fields {sorted(state)}; expected {sorted(always)}")
    values = {key: _decoded(item, arrays) for key, item in state.items()}
    for key, value in values.items():
        if not fits(value, {**always, **sometimes}[key]):
            raise ValueError(f"{name} has {key} = {value!r}, which has the wrong type")
    if class_ in DERIVED:
        return DERIVED[class_][1](**values)
    if hasattr(class_, "__post_init__"):  # it checks the values
        return class_(**values)
    result: Any = object.__new__(class_)
    vars(result).update(values)
    return result


def _is_text(array: npt.NDArray[Any]) -> bool:
    texts = array.dtype.kind == "O" and array.ndim == 1
    return texts and all(isinstance(item, str) for item in array)
