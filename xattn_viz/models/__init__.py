"""Model adapters, one file a family: each turns an input into a `Trace`."""
