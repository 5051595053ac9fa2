"""sRGB <-> CIELAB (D65, 2 degree observer), and chroma from the 64x64 grid to full resolution.

    cie.py              the only formulas and constants of CIELAB, in numpy, also of `photo`; chroma
                        shrunk at constant lightness and hue until sRGB can show it, or multiplied
    grid.py             area averages; what the model sees: lightness (256x256) and ab (64x64)
    upsample.py         ab of the 64x64 grid on 256x256 cells, where it stops at outlines, and from
                        any grid to full resolution, guided by lightness
    full_resolution.py  photo -> lightness; lightness and ab of the grid -> sRGB photo
    degrade.py          lightness as an old or badly kept print would show it

Nothing here needs torch.
"""
