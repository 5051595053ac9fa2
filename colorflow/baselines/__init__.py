"""What a distribution of colors is compared with: one best guess, and the cINN of 2019."""

from colorflow.baselines.files import (
    BASELINES,
    Baseline,
    LoadedBaseline,
    load_baseline,
    save_baseline,
)

__all__ = ["BASELINES", "Baseline", "LoadedBaseline", "load_baseline", "save_baseline"]
