"""Model adapters, one file a family: each turns an input into a `Trace`. Heavy imports stay inside functions or adapters."""
