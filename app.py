"""The router: which pages there are, and which one is shown."""

from xattn_viz.app import page

page.navigation().run()
