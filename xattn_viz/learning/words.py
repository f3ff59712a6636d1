"""What a record says, in sentences for people."""

from __future__ import annotations

from collections.abc import Mapping

from xattn_viz.learning.training import Record, Training

_SORTED = " To sort, a vector need only hold which letters there are, not their order."


def of_map(training: Training, record: Record) -> str:
    """How much of the map of the example lies where it ought to, and how well the task is solved."""
    return (
        f"Cross-attention {_on_path(training, record)}. Of outputs that it was not trained on {record.outputs[0]:.2f} "
        f"are without a fault, of their symbols {record.symbols[0]:.2f} are right."
    )


def of_lengths(trainings: Mapping[str, Training], records: Mapping[str, Record]) -> str:
    """How well each model writes the longest outputs, and how large it is."""
    longest = max(next(iter(trainings.values())).lengths)
    shares = ", ".join(f"{name} {record.outputs[-1]:.2f}" for name, record in records.items())
    sizes = " and ".join(f"{training.parameters:,}" for training in trainings.values())
    said = f"Outputs of {longest} letters without a fault: {shares}. The same examples for both; {sizes} parameters."
    return said + _SORTED if any(training.task.name == "sort" for training in trainings.values()) else said


def of_orders(trainings: Mapping[str, Training], records: Mapping[str, Record]) -> str:
    """How much of the map of each order lies where it ought to."""
    said = (f"{name} it {_on_path(training, records[name])}" for name, training in trainings.items())
    outputs = " and ".join(f"{record.outputs[0]:.2f}" for record in records.values())
    return f"Cross-attention {'; '.join(said)}. Outputs without a fault: {outputs}."


def _on_path(training: Training, record: Record) -> str:
    shares = [f"{share:.2f}" for share in training.example.on_path(record.weights)]
    put = f"puts {shares[0]}" if len(shares) == 1 else f"puts {shares[0]} (layer 1) and {shares[1]} (layer 2)"
    return f"{put} of its weight {training.task.path}"
