"""Launchers: what runs the stages of a graph, here or elsewhere."""
