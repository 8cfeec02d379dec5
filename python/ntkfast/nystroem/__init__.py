"""Regression on some centres, for points by the million."""

from ntkfast.nystroem._errors import LeftOut
from ntkfast.nystroem.depths import nystroem_by_depth
from ntkfast.nystroem.path import NystroemPath
from ntkfast.nystroem.regression import NystroemRegression

__all__ = ["LeftOut", "NystroemPath", "NystroemRegression", "nystroem_by_depth"]
