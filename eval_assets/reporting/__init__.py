"""Data of reports into what people read: pages, Markdown, tables for a terminal, plots.

Pure functions from plain dicts to text. Unknown numbers (None or NaN) are shown as `n/a`, scores in
percent, differences in percentage points.
"""

from eval_assets.reporting.markdown import cell_markdown, checkpoint_markdown, leaderboard_markdown
from eval_assets.reporting.pages import checkpoint_page, leaderboard_page
from eval_assets.reporting.plots import difference_plot, interval_plot, learning_curve
from eval_assets.reporting.terminal import comparison_table, curve_table, score_table

__all__ = [
    "cell_markdown",
    "checkpoint_markdown",
    "checkpoint_page",
    "comparison_table",
    "curve_table",
    "difference_plot",
    "interval_plot",
    "leaderboard_markdown",
    "leaderboard_page",
    "learning_curve",
    "score_table",
]
