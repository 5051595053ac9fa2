"""Published architectures, trained and measured on one task.

train.py      `colorflow zoo train`: the task and the training
measure.py    likelihood, speed and inverse error of a trained architecture
table.py      `colorflow zoo table`: JSON, Markdown, and figure
figure.py     the figure, with pictures that scikit-image ships
toys.py       `colorflow zoo toys`: densities in the plane and their figure
"""
