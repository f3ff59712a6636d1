"""What each section of the layer's page shows, as numbers: one module a lesson, usable without the page."""
