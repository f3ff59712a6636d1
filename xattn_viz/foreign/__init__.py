"""What other programs save, read as traces."""
