"""``python -m ntkfast``: the command line."""

from ntkfast.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
