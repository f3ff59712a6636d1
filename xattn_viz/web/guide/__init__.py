"""The guide of a page: keys and controls in a list, a tour, and a line of help on each control."""
