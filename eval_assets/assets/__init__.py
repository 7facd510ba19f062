"""One file an asset."""

from eval_assets.assets.checkpoint import checkpoint
from eval_assets.assets.checkpoint_report import checkpoint_report
from eval_assets.assets.comparison import comparison
from eval_assets.assets.context_sweep import context_sweep
from eval_assets.assets.dataset import benchmark_dataset
from eval_assets.assets.frames_sweep import frames_sweep
from eval_assets.assets.leaderboard import leaderboard
from eval_assets.assets.learning_curve import learning_curve
from eval_assets.assets.outputs import model_outputs
from eval_assets.assets.report import statistical_report
from eval_assets.assets.scores import judge_scores
from eval_assets.assets.tracked import tracked

ALL = [
    checkpoint,
    benchmark_dataset,
    model_outputs,
    judge_scores,
    statistical_report,
    comparison,
    checkpoint_report,
    learning_curve,
    frames_sweep,
    context_sweep,
    tracked,
    leaderboard,
]
CELL = [model_outputs, judge_scores, statistical_report, comparison]

__all__ = [
    "ALL",
    "CELL",
    "benchmark_dataset",
    "checkpoint",
    "checkpoint_report",
    "comparison",
    "context_sweep",
    "frames_sweep",
    "judge_scores",
    "leaderboard",
    "learning_curve",
    "model_outputs",
    "statistical_report",
    "tracked",
]
