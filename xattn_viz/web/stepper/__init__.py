"""The component that shows each step of one small layer, to be changed in the browser: ES modules and their data."""
