"""Environments of Gymnasium, each in a process of its own.

`world` and its kinds (`minigrid`, `miniworld`, `ale`) run inside that process, `process` is its side of the run.
"""
