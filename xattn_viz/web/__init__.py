"""What runs in the browser, and the Python that packs for it."""
