"""The canvas explorer: a trace packed into bytes and the script that draws them, for the app and the export alike."""
