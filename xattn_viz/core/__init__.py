"""Axes, attention maps, traces, and how they are kept: values of numpy alone, which everything else reads."""
