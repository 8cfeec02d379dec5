"""Data for examples: small problems, images, file readers, points in chunks, preprocessing."""

from ntkfast.data.chunks import Chunks
from ntkfast.data.digits import load_digits, two_digits
from ntkfast.data.features import append_one, unit_norm
from ntkfast.data.files import load_idx, load_npz
from ntkfast.data.labels import one_hot, random_labels
from ntkfast.data.problems import chirp, circle, sine, sphere, step, three_points
from ntkfast.data.reading import read_chunks

__all__ = [
    "Chunks",
    "append_one",
    "chirp",
    "circle",
    "load_digits",
    "load_idx",
    "load_npz",
    "one_hot",
    "random_labels",
    "read_chunks",
    "sine",
    "sphere",
    "step",
    "three_points",
    "two_digits",
    "unit_norm",
]
