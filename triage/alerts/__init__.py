"""Alerts: opened by findings, joined, acknowledged and resolved; silence."""
