"""The web page, made with Gradio.

    server.py     starts the server, and cleans up after it
    limits.py     who may do how much: queue, memory, disk, and who is one visitor
    guard.py      middleware: names, foreign pages, connections, passwords, uploads
    storage.py    the folder of uploads and results, and when files are deleted
    gradio_patches.py  everything that depends on Gradio's internals
    api.py        the API for programs; api_quiz.py keeps their games
    page.py       the page's tabs, heading, theme, page.css
    colorize.py  the tab that colors photos; colorize_layout.py is what it shows, strip.py
                  the photos to choose from
    hints.py      the tab where colors of points are said
    reference.py  the tab that carries colors over from another photo
    folder.py     the tab that colors many photos, and a zip of them
    quiz.py       the quiz tab; quiz_html.py and quiz_results.py are its HTML, quiz_photos.py
                  reads a player's own photos
    how.py        the tab that shows how it works; frames.py plays its pictures
    controls.py   controls that stand on several tabs
    status.py     lines that say how things stand
    download.py   a download button, which waits for its picture

Behind the tabs, knowing nothing of Gradio:

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
