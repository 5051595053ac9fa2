"""What judges are told, and all that they are told."""

from __future__ import annotations

from colorflow.quiz.key import Form

INSTRUCTIONS_FILE = "instructions.txt"

_WAY_THROUGH = """\
Open the pictures in the folder "pairs" one by one, in the order of your answer sheet, and look at
nothing else. Do not go back. Decide quickly.
"""
_END = """\
At the end of the sheet add two sentences on what decided, each on a line that begins with #.
"""
_TEXTS: dict[Form, str] = {
    "preference": f"""\
WHICH LOOKS BETTER?

Each picture shows one photo, colored in two ways, side by side. Which way stands left changes at
random.

{_WAY_THROUGH}
Answer as an ordinary person who leafs through an album. Fill in one line of the sheet for each
pair:

    pair,choice,broken_left,broken_right

choice        L or R: the side that looks more like a natural color photo. There are no ties.
broken_left   1 if something on the left side is plainly broken, 0 if not. Broken are, for example,
              green or blue skin, patches of color that ignore the borders of things, one thing in
              two colors, a strong cast over everything.
broken_right  The same for the right side.

{_END}""",
    "truth": f"""\
WHICH IS TRUE?

Each picture shows one photo twice, side by side. One side has the photo's true colors. The other
side was gray, and a computer colored it. Which one stands left changes at random.

{_WAY_THROUGH}
Answer as after a glance of one second. Fill in one line of the sheet for each pair:

    pair,choice,broken

choice  L or R: the side that has the true colors. There are no ties.
broken  Of the other side, which you take for the computer's: 1 if it is plainly broken, 0 if you
        would believe it if it stood alone.

{_END}""",
}


def instructions(form: Form) -> str:
    """The text that lies beside the pairs."""
    return _TEXTS[form]
