"""The canvas explorer: a trace packed into bytes, and the script that draws them. The same for the app and the export."""
