"""sRGB <-> CIELAB (D65, 2 degree observer), and chroma from the 64x64 grid to full resolution.

    cie.py              formulas of CIELAB in numpy, also of `photo`; chroma multiplied
    gamut.py            chroma shrunk at constant lightness and hue until sRGB can show it
    grid.py             area averages; what the model sees: lightness (256x256) and ab (64x64)
    upsample.py         ab of the 64x64 grid on 256x256 cells, where it stops at outlines, and from
                        any grid to full resolution, guided by lightness
    full_resolution.py  photo -> lightness; lightness and ab of the grid -> sRGB photo
    compiling.py        whether loops over pixels run in numpy or compiled, with equal results
    loops.py            these loops, for numba
    swatches.py         colors to choose from for a point: likely ones, materials, names
    degrade.py          lightness as an old or badly kept print would show it

Nothing here needs torch.
"""
