"""Inference servers that cells share.

A cell takes a `Lease` on a `Slot`; the slot's host (`host`) starts, swaps and stops the engine and decides
by `arbiter` whose checkpoint is served; `keeper` ends what an engine has started. How they fit together:
docs/engines.md.
"""
