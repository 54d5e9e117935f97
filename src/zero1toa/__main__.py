"""`python -m zero1toa` is the command `zero1toa`."""

from zero1toa.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
