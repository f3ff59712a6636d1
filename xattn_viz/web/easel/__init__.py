"""The component on which a visitor draws a scene: an ES module and its data."""
