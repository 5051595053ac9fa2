"""Colorings, measured and compared.

subject.py    one photo of the folder, prepared for coloring and comparison
columns.py    the ways of coloring that are compared
baselines.py  the deterministic network and the cINN of 2019, and their weights files
metrics.py    metrics of one photo's colorings
judge.py      EfficientNet-Lite2 classifies the pictures
measure.py    all measurements of one photo
bootstrap.py  values over photos with standard errors
evaluate.py   all photos of a folder -> the table
report.py     `colorflow evaluate`: numbers, tables, and how they were made
"""
