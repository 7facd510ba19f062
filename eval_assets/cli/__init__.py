"""`evals`: what the assets do, from a shell."""

from eval_assets.cli.app import main

__all__ = ["main"]
