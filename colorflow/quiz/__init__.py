"""Which one is the truth? A photo's own colours beside drawn ones, and how often people are fooled.

pictures.py   pairs of pictures that differ in their colours alone
fooling.py    shares of wrong answers with their intervals

A blind test as a folder of files:

key.py        what a blind test's pairs are made of
make.py       photos -> a folder of pairs, an empty answer sheet and the key
answers.py    answer sheets as judges fill them in
score.py      answers and the key -> who was fooled by what
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
