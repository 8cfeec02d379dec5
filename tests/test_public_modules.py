"""`dir(nk)` shows every public module, and imports none of them."""

import ntkfast as nk
from processes import run

MODULES = ("classic", "data", "finite", "plots", "sklearn", "solvers", "theory")


def test_dir_shows_all_public_names() -> None:
    names = dir(nk)
    assert {*MODULES, *nk.__all__} <= {*names}
    assert names == sorted({*names})
    assert all(hasattr(nk, name) for name in names)


def test_dir_imports_nothing() -> None:
    script = f"""
        import sys, ntkfast
        before = set(sys.modules)
        assert set({MODULES}) <= set(dir(ntkfast))
        assert set(sys.modules) == before
        print("sklearn" in before, "matplotlib" in before)
    """
    result = run(script)
    assert result.stdout.split() == ["False", "False"], result.stderr
