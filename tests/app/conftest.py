"""Streamlit's tester looks for components in every installed package at each run of a page: here it does so once."""

from __future__ import annotations

from functools import cache

from streamlit.components.v2 import manifest_scanner

manifest_scanner.scan_component_manifests = cache(manifest_scanner.scan_component_manifests)
