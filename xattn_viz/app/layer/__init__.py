"""The page about the layer itself: one module a section, each with a `show()` that draws it."""
