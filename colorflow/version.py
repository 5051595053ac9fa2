"""The version, apart from the package's `__init__`, so that every module may know it."""

__version__ = "0.1.0"
