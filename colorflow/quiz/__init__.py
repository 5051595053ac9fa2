"""Can people tell our colors from a photo's own? A blind test for judges, and a quiz for visitors.

    pictures.py       small pictures, and two of them side by side
    statistics.py     fooling rates and their intervals

A blind test, which is a folder of files:

    methods.py        coloring methods that are compared, the truth among them
    answer_key.py     which method is on which side
    answer_sheets.py  instructions for judges, and their answers
    blind_test.py     photos and two methods -> the folder, and the key beside it
    score.py          answers and the key -> which method was chosen, and what is broken
    report.py         the score as text and JSON

The quiz of the web page:

    photos.py         photos to play with
    trials.py         one photo -> one sheet of k pictures, the true one at a random position
    free_play.py      the next photo, and the score
    strict_test.py    the test of the literature: 10 trials for practice, then 40
    game.py           one player's game
    store.py          answers in SQLite, and which of them count

Two-alternative forced choice, as in Zhang, Isola & Efros 2016 (Colorful Image Colorization).
"""
