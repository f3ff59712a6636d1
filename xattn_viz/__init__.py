"""See cross-attention, and check whether what you see is true."""
