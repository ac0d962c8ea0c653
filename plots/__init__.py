"""Figures from the results frame, with the published points beside the measured ones.

A figure is made in three steps, each a pure function: a results frame becomes a `Chart` (numbers
and words, no drawing), a `Chart` becomes a matplotlib `Figure`, and a `Figure` becomes files. What
is written beside a figure as its JSON is the very `Chart` that was drawn. Imports nothing that
trains: a figure can be drawn where there is no torch.
"""
