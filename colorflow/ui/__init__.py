"""The web page, made with Gradio.

    page.py       the tabs, the theme, and page.css; page.js names things for screen readers
    colorize.py   the tab that colors photos: components, and what each event does to a desk
    desk.py       everything of one visitor, and the rules that make quick clicks safe
    work.py       what takes time: photos are opened, prepared, colored, and written
    render.py     what the page shows of a desk, as HTML; stage.js is for the large picture,
                  listen.js for buttons
    photos.py     photos as files: in full size, and small
    prepare.py    prints that are cut out, turned and repaired before they are colored
    hints.py      points that get colors, files of them, and the colors to choose from
    album.py      files and zips that come, and the zip that goes back
    status.py     sentences for visitors
    quiz.py       the tab with the quiz; quiz_html.py is its HTML, quiz.js its script
    how.py        the tab that shows how it works; player.js plays its pictures
    api.py        the API for programs
    server.py     starts the page, and clears up behind it
    guard.py      middleware: which requests reach Gradio; access.py: open routes, names of the
                  page, and pages of others
    limits.py     how much is done at the same time: queues and memory
    storage.py    the folder of uploads and results: what is removed from it when, and how much it
                  may hold

Importing this package imports neither Gradio nor torch; `serve` does.
"""

from colorflow.ui.server import serve

__all__ = ["serve"]
