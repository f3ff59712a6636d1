"""What the project claims to be quick or small at, measured against a named peer: `make bench`, one script a claim.

Each measurement pairs ours and the peer's runs in turn, so that a busy machine slows both alike, and takes medians.
"""
