"""The web page, made with Gradio.

    server.py     starts the page, and clears up behind it
    storage.py    the folder of uploads and results, and what is removed from it when
    limits.py     what is taken at most, and the one queue of all work
    guard.py      stands before the server: hosts.py (names and foreign pages), logins.py (wrong
                  passwords), uploads.py (quotas), visitors.py (who is one visitor)
    gradio_patches.py  all that is changed inside Gradio
    api.py        what programs may ask; api_quiz.py remembers their rounds of the quiz
    page.py       what every tab shares: heading, theme, page.css
    colorize.py  the tab that colors photos; colorize_layout.py is what it shows, strip.py
                  the photos to choose from
    hints.py      the tab where colors of points are said
    reference.py  the tab that carries colors over from another photo
    folder.py     the tab that colors many photos, and a zip of them
    quiz.py       the tab with the quiz; quiz_stage.py and quiz_results.py are its HTML,
                  quiz_photos.py takes in what a player brings
    how.py        the tab that shows how it works; frames.py plays its pictures
    controls.py   controls that stand on several tabs
    status.py     lines that say how things stand
    download.py   a download button, which waits for its picture

Behind the tabs, knowing nothing of Gradio:

    room.py       memory and disk that all visitors share
    opened.py     an uploaded photo, its previews, and painting at full size
    session.py    one visitor's photos and colorings, as files; of the other tabs likewise
                  hint_session.py, reference_session.py and how_session.py
    colorings.py colorings that come one by one
    run.py        work that ends early when somebody wants so
    points.py     what clicks do to points, and files of points
    swatches.py   likely colors of a point, and names of colors
    marks.py      points drawn on a picture
    open_map.py   a picture of how far colors are open

Importing this package imports neither Gradio nor torch; `serve` does.
"""

from colorflow.ui.server import serve

__all__ = ["serve"]
