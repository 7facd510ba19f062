"""Numbers in, numbers out: scores of items become estimates with honest uncertainty.

Arrays go in, frozen dataclasses come out; nothing here knows of Dagster, a store or a model. What is
undefined is NaN with the reason in `note`.

Cost: importing this and one estimate add 0.19 s to numpy's import, all of it scipy.special (scipy.stats
would be 0.6 s, statsmodels 1 s). A paired comparison of a million items in 100 000 clusters takes 0.2 s
with integer labels and 0.5 s with strings.
"""

from stats.bootstrap import bootstrap_estimate
from stats.estimates import mean_estimate, ratio_estimate, stratified_estimate
from stats.multiple import adjust_pvalues
from stats.paired import paired_difference, paired_ratio_difference
from stats.results import Estimate, PairedDifference

__all__ = [
    "Estimate",
    "PairedDifference",
    "adjust_pvalues",
    "bootstrap_estimate",
    "mean_estimate",
    "paired_difference",
    "paired_ratio_difference",
    "ratio_estimate",
    "stratified_estimate",
]
