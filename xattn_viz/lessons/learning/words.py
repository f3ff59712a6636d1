"""What a record says, in sentences for people."""

from __future__ import annotations

from collections.abc import Mapping

from xattn_viz.lessons.learning.training import Record, Training

_SORTED = " To sort, a vector need only hold which letters there are, not their order."


def of_map(training: Training, record: Record) -> str:
    """How much of the map of the example lies where it ought to, and how well the task is solved."""
    return (
        f"Weight on {training.task.path}: {_on_path(training, record)}. Of unseen examples {record.symbols[0]:.2f} of "
        f"the symbols are right, {record.outputs[0]:.2f} of the outputs."
    )


def of_lengths(trainings: Mapping[str, Training], records: Mapping[str, Record]) -> str:
    """How well each model writes the longest outputs, and how large it is."""
    longest = max(next(iter(trainings.values())).lengths)
    shares = ", ".join(f"{name} {record.outputs[-1]:.2f}" for name, record in records.items())
    sizes = " and ".join(f"{training.parameters:,}" for training in trainings.values())
    said = f"Outputs of {longest} letters that are right: {shares}. The same examples for both; {sizes} parameters."
    return said + _SORTED if any(training.task.name == "sort" for training in trainings.values()) else said


def of_orders(trainings: Mapping[str, Training], records: Mapping[str, Record]) -> str:
    """How much of the map of each order lies where it ought to."""
    path = next(iter(trainings.values())).task.path
    said = "; ".join(f"{name} {_on_path(training, records[name])}" for name, training in trainings.items())
    outputs = " and ".join(f"{record.outputs[0]:.2f}" for record in records.values())
    return f"Weight on {path}: {said}. Unseen outputs that are right: {outputs}."


def _on_path(training: Training, record: Record) -> str:
    shares = [f"{share:.2f}" for share in training.example.on_path(record.weights)]
    return shares[0] if len(shares) == 1 else f"{shares[0]} in layer 1, {shares[1]} in layer 2"
