"""Numbers about maps, from the maps alone."""
