"""Colorings and architectures, measured and compared.

subject.py      one photo of the folder, prepared for coloring and comparison
columns.py      the ways of coloring that are compared
metrics.py      metrics of one photo's colorings
judge.py        EfficientNet-Lite2 classifies the pictures
shares.py       calibration of the shares of principal colorings
measure.py      all measurements of one photo
bootstrap.py    values over photos with standard errors
evaluate.py     all photos of a folder -> the table
report.py       tables, JSON, figures, and how they were made
sheet.py        the contact sheet
run.py          `colorflow evaluate`
hint_curve.py   the error against the number of color hints
hint_report.py  `colorflow evaluate-hints`
densities.py    what the compared densities learn
baselines/      the deterministic network and the cINN of 2019
zoo/            published architectures on one task
enlarge/        enlarging, against other ways
"""
