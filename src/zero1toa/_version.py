"""The version, in one place: read by the build and by `zero1toa.__version__`."""

__version__ = "0.1.0"
