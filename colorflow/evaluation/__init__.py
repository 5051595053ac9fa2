"""Colorings measured against the truth and against baselines.

subject.py      one photo of the folder, ready to be colored and compared
columns.py      the ways of coloring that are compared
metrics.py      what is measured of one photo's colorings
judge.py        EfficientNet-Lite2 looks at the pictures
measure.py      all of it for one photo
bootstrap.py    values over photos, with standard errors
evaluate.py     photos x columns -> the table
report.py       the table as JSON and Markdown
sheet.py        the contact sheet
run.py          the command
hint_curve.py   the error against the number of color hints, and the promise near them
hint_plot.py    the curve as a figure
hint_run.py     the command of the curve
"""
