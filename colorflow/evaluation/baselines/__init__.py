"""Baselines: a deterministic network with one result, and the cINN of 2019."""

from colorflow.evaluation.baselines.weights import (
    BASELINES,
    Baseline,
    LoadedBaseline,
    load_baseline,
    save_baseline,
)

__all__ = ["BASELINES", "Baseline", "LoadedBaseline", "load_baseline", "save_baseline"]
