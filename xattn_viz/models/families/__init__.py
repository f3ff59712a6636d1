"""The model families, one folder each; none knows another."""
