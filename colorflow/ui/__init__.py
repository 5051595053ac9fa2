"""The web page, made with Gradio.

    page.py       the tabs, the theme, and page.css; page.js names things for screen readers,
                  answers.js loses no answer; the tab that shows how it works, whose pictures
                  player.js plays
    colorize.py   the tab that colors photos: components, and what each event does to a desk
    desk.py       everything of one visitor, and the rules that make quick clicks safe
    work.py       what takes time, as wishes of a desk: opening, preparing, coloring, writing
    coloring.py   a photo on a desk with its colorings, and how they are made
    files.py      files in full size, and the zip of an album
    render.py     what the page shows of a desk, as HTML; stage.js is for the large picture,
                  listen.js for buttons
    photos.py     photos as files: uploads, zips of them, and small pictures
    prepare.py    prints that are cut out, turned and repaired before they are colored
    lines.py      lines by which regions are added to what points color, or taken from it
    hints.py      points that get colors, files of them, and the colors to choose from
    quiz.py       the tab with the quiz; quiz.js is its script
    api.py        the API for programs
    server.py     starts the page, and clears up behind it
    guard.py      middleware: which requests reach Gradio
    sessions.py   middleware: how many sessions wait for answers, and how long
    owners.py     which visitor may name and read which files
    memory.py     gives memory back to the system, and forgets sessions that have gone
    uploads.py    reads uploads, which have files alone
    limits.py     how much is done at the same time, and how much is stored

Importing this package imports neither Gradio nor torch; `serve` does.
"""

from colorflow.ui.server import serve

__all__ = ["serve"]
