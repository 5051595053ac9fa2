"""Which one is the truth? A photo's own colors beside drawn ones, and how often people are fooled.

pictures.py   small pictures, and two of them side by side
fooling.py    shares of wrong answers with their intervals

A blind test as a folder of files:

ways.py       ways of coloring that are compared, the truth among them
key.py        what a blind test's pairs are made of
make.py       photos and two ways -> a folder of pairs, and the key beside it
instructions.py  what judges are told
answers.py    answer sheets as judges fill them in
score.py      answers and the key -> what was chosen and what is broken
report.py     the score as text and JSON

The quiz of the web page:

deck.py       photos to play with
variation.py  a photo in another crop and grain each time
rounds.py     one photo -> one sheet of k pictures, the truth at a random place
game.py       one player's rounds and score; free play and the strict test
voters.py     the name under which a visitor's answers are kept
store.py      answers in SQLite, and which of them count

Two-alternative forced choice, as in Zhang, Isola & Efros 2016 (Colorful Image Colorization).
"""
