"""Talks made of views: those that ship, your own, and any that a file or a link holds."""

from __future__ import annotations

from xattn_viz.app import page, stories

page.begin(None, "Stories")
stories.show()
