"""Can people tell our colors from a photo's own? A blind test for judges, and a quiz for visitors.

    pictures.py       pictures in true and in sampled colors, for both; two of them side by side;
                      coloring methods that are compared, the truth among them
    statistics.py     fooling rates and their intervals

A blind test, which is a folder of files:

    blind_test.py     photos and two methods -> the folder for judges, and the key beside it
    score.py          answers and the key -> which method was chosen, and what is broken

The quiz of the web page:

    trials.py         one photo -> one sheet of k pictures, the true one at a random position
    game.py           one player's game: free play and the test
    store.py          answers in SQLite, and which of them count

Two-alternative forced choice, as in Zhang, Isola & Efros 2016 (Colorful Image Colorization).
"""
