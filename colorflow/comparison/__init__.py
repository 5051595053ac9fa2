"""The zoo's architectures, trained and measured on one task.

task.py       the task: chroma on a 16x16 grid given the photo, and the density that learns it
distill.py    the task of an architecture that is slow to score: a teacher's density
train.py      `colorflow zoo train`
measure.py    likelihood, speed and inverse error of one trained architecture
table.py      `colorflow zoo table`
figure.py     its figure, with pictures that scikit-image ships
toys.py       densities in the plane and their figure, `colorflow zoo toys`
"""
