"""Embedded color profiles and color spaces' own formulas, for the tests of both depths.

The profiles are put together here from the ICC specification (ICC.1:2010); the matrices are those
of Adobe RGB (1998), section 4.3.6, and B. Lindbloom's for sRGB, both relative to D50.
"""

from __future__ import annotations

import struct
from itertools import product

import numpy as np

D50 = np.array([0.9642, 1.0, 0.8249])
ADOBE_TO_XYZ = np.array(
    [[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]]
)
XYZ_TO_SRGB = np.array(
    [
        [3.1338561, -1.6168667, -0.4906146],
        [-0.9787684, 1.9161415, 0.0334540],
        [0.0719453, -0.2289914, 1.4052427],
    ]
)


def srgb_of_linear(linear: np.ndarray) -> np.ndarray:
    linear = np.clip(linear, 0, 1)
    signal = np.where(
        linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055
    )
    return 255 * signal


def srgb_of_lab(lab: np.ndarray) -> np.ndarray:
    y = (lab[..., 0] + 16) / 116
    f = np.stack([y + lab[..., 1] / 500, y, y - lab[..., 2] / 200], axis=-1)
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * D50
    return srgb_of_linear(xyz @ XYZ_TO_SRGB.T)


def s15(*values: float) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(v * 65536) for v in values))


def profile(device: bytes, space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    """An ICC profile of version 2.4."""
    text = b"test\0"
    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", len(text)) + text + bytes(78),
        b"cprt": b"text" + bytes(4) + text,
        b"wtpt": b"XYZ " + bytes(4) + s15(*D50),
        **tags,
    }
    table, body = struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        content += bytes(-len(content) % 4)
        table += name + struct.pack(">II", 132 + 12 * len(tags) + len(body), len(content))
        body += content
    head = struct.pack(
        ">I4sI4s4s4s", 128 + len(table + body), b"", 0x02400000, device, space, connection
    )
    head += struct.pack(">6H", 2020, 1, 1, 0, 0, 0) + b"acsp" + bytes(24) + bytes(4) + s15(*D50)
    return head.ljust(128, b"\0") + table + body


def gamma(value: float) -> bytes:
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(value * 256))


def rgb_profile(exponent: float) -> bytes:
    return rgb_profile_of(gamma(exponent))


def rgb_profile_of(curve: bytes) -> bytes:
    """Of the primaries of Adobe RGB."""
    columns = {
        name: b"XYZ " + bytes(4) + s15(*ADOBE_TO_XYZ[:, i])
        for i, name in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))
    }
    curves = dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    return profile(b"mntr", b"RGB ", b"XYZ ", columns | curves)


def gray_profile(exponent: float) -> bytes:
    return profile(b"mntr", b"GRAY", b"XYZ ", {b"kTRC": gamma(exponent)})


INKS = {
    (0, 0, 0, 0): (100, 0, 0),
    (1, 0, 0, 0): (60, -20, -30),
    (0, 1, 0, 0): (50, 40, 5),
    (0, 0, 1, 0): (85, 0, 50),
}
"""Lab of single inks, milder than real ones so that they lie within sRGB; mixtures are black."""


def cmyk_profile() -> bytes:
    """A printer whose single inks are `INKS`, as a table with two points a side."""
    identity = bytes(range(256))
    table = b"".join(
        bytes((round(lightness * 2.55), a + 128, b + 128))
        for lightness, a, b in (INKS.get(ink, (0, 0, 0)) for ink in product((0, 1), repeat=4))
    )
    lut = struct.pack(">4s4xBBBx", b"mft1", 4, 3, 2) + s15(1, 0, 0, 0, 1, 0, 0, 0, 1)
    lut += identity * 4 + table + identity * 3
    return profile(b"prtr", b"CMYK", b"Lab ", {b"A2B0": lut, b"A2B1": lut})
