"""What segments: its loss, the training of the teacher and of the student, and their files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from torch.nn import functional as F

from colorflow.color.grid import square_lightness, to_grid
from colorflow.model.condition import Condition
from colorflow.model.heads import SegmentationHead
from colorflow.model.segmentation import CLASSES, EVERY
from colorflow.model.weights import load_tensors, load_weights, read_header
from colorflow.training.export import export_part
from colorflow.training.heads import (
    SEGMENTATION,
    TEACHER,
    TEACHER_FORMAT,
    SegmentationLoss,
)
from colorflow.training.large_pack import LabeledPack
from data_prep import teacher as teacher_module
from data_prep.teacher import Teacher
from tests.training.conftest import CheapFeatures
from tests.training.runs import raw_state, trained

NOISE = torch.Generator()


def random_head(*, sees_color: bool = False) -> SegmentationHead:
    torch.manual_seed(3)
    head = SegmentationHead(sees_color=sees_color).eval()
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        for layer in (head.coarse, head.fine, head.out):
            layer.weight.mul_(0.05)
    return head


# the loss


@pytest.mark.parametrize("name", ["teacher", "segmentation"])
@torch.no_grad()
def test_the_loss_is_that_of_sets_of_classes_and_of_outlines(
    name: str, large_folder: Path, start: Path
) -> None:
    """Where nothing is known, nobody learns anything."""
    is_teacher = name == "teacher"
    pyramid = None if is_teacher else load_weights(start).pyramid
    criterion = SegmentationLoss(pyramid)
    pack = LabeledPack(large_folder, in_color=is_teacher)
    assert (criterion.name, criterion.folder) == (name, name)
    assert criterion.maps == ((8, 16, 32, 64) if is_teacher else (32, 64))
    target, condition = pack.batch(pack.rows("dev")[:2], criterion.maps)
    head = random_head(sees_color=is_teacher)
    criterion.fit(head, target, condition, NOISE)
    found = criterion(head, target, condition, NOISE)
    seen = condition if pyramid is None else pyramid.refine(condition)
    log_odds, outline = (x.double().numpy() for x in head(seen))
    for i, loss in enumerate(found):
        labels, own = target[i, 0].int().numpy(), np.array([2, 2, 1, 1, 3, 1.2] + [1] * 12)
        log_p = log_odds[i] - logsumexp(log_odds[i], 0)
        nats, weight = np.zeros(labels.shape), np.zeros(labels.shape)
        for one in np.unique(labels):
            inside = [k for k in range(18) if one >> k & 1]
            if inside and one != EVERY:
                here = labels == one
                nats[here] = -logsumexp(log_p[inside], 0)[here]
                weight[here] = own[inside[0]] if len(inside) == 1 else 0.5
        padded = np.pad(labels, 3, mode="edge")
        views = np.lib.stride_tricks.sliding_window_view(padded, (7, 7))
        weight[views.max((2, 3)) != views.min((2, 3))] *= 2.5
        want = (weight * nats).sum() / weight.sum()
        want += _of_outlines(outline[i, 0], target[i, 1].int().numpy(), labels)
        assert float(loss) == pytest.approx(want, rel=1e-4)
    unknown = target.clone()
    unknown[:, 0] = torch.tensor([0.0, EVERY])[:, None, None]
    unknown[:, 1] = torch.tensor([0.0, 3.0])[:, None, None]
    assert criterion(head, unknown, condition, NOISE).abs().max() == 0


def _of_outlines(log_odds: np.ndarray, values: np.ndarray, sets: np.ndarray) -> float:
    """Cross entropy of where outlines are, cell by cell."""
    g, total, weights = len(values), 0.0, 0.0
    closed = values.copy()
    for y, x in np.argwhere(values == 0):
        closed[y, x] = values[max(y - 2, 0) : y + 3, max(x - 2, 0) : x + 3].max()

    def around(plane: np.ndarray, y: int, x: int) -> np.ndarray:
        return plane[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2]

    is_outline = np.array(
        [[len(set(around(closed, y, x).flat) - {0}) > 1 for x in range(g)] for y in range(g)]
    )
    sizes = np.vectorize(int.bit_count)(sets.astype(object)).astype(int)
    is_open = (values == 0) | (sizes > 3) | is_outline
    for y in range(g):
        for x in range(g):
            if is_outline[y, x]:
                total += 3 * np.logaddexp(0, -log_odds[y, x])
                weights += 3
            elif not around(is_open, y, x).any():
                total += np.logaddexp(0, log_odds[y, x])
                weights += 1
    return total / weights


# training


@pytest.mark.slow
def test_a_teacher_marks_things(
    large_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, path = tmp_path / "run", tmp_path / "teacher.safetensors"
    trained(TEACHER, large_folder, run)
    export_part([SEGMENTATION, TEACHER], run, path, say=str)
    head = SegmentationHead(sees_color=True)
    load_tensors(read_header(path, TEACHER_FORMAT), head)
    best = raw_state(run, "teacher")["best"]
    torch.testing.assert_close(head.out.weight, best["out.weight"], rtol=2e-3, atol=2e-3)
    rgb = np.random.default_rng(0).integers(0, 256, (384, 384, 3), np.uint8)
    monkeypatch.setattr(teacher_module, "Features", CheapFeatures)
    likely = Teacher(path)(rgb)
    assert likely.shape == (len(CLASSES), 192, 192)
    np.testing.assert_allclose(likely.sum(0), 1, atol=1e-4)
    # As a pack shows a photo in color to the head; in the middle, crops have a say, too.
    lightness = torch.from_numpy(square_lightness(rgb, 384))[None, None]
    planes = torch.cat([torch.ones(1, 1, 64, 64), torch.from_numpy(to_grid(rgb))[None]], 1)
    seen = torch.from_numpy(rgb).permute(2, 0, 1)[None] / 2.55
    own = Condition(
        lightness=F.avg_pool2d(lightness, 2), features=CheapFeatures()(seen), planes=planes
    )
    with torch.no_grad():
        whole = head.eval()(own)[0].softmax(1)[0].numpy()
    away = np.abs(likely - whole).mean(0)
    assert 0 < away.mean() < 0.2
