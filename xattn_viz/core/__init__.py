"""Axes, attention maps, traces, and how they are kept: values of numpy alone, which everything else reads."""

#: The version of the package, as pyproject.toml has it.
VERSION = "0.1.0"
