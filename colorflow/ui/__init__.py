"""The web page, made with Gradio.

    server.py     starts the page, and clears up behind it
    page.py       what every tab shares: heading, theme, page.css
    colourise.py  the tab that colours one photo
    hints.py      the tab where colours of points are said
    reference.py  the tab that carries colours over from another photo
    quiz.py       the tab with the quiz; quiz_stage.py and quiz_results.py are its HTML
    status.py     lines that say how things stand
    download.py   a download button, which waits for its picture

Behind the tabs, knowing nothing of Gradio:

    opened.py     an uploaded photo, its previews, and painting at full size
    session.py    one visitor's photo and colourings, as files; of the other tabs likewise
                  hint_session.py and reference_session.py
    points.py     what clicks do to points, and files of points
    swatches.py   likely colours of a point, and names of colours
    marks.py      points drawn on a picture
    open_map.py   a picture of how far colours are open

Importing this package imports neither Gradio nor torch; `serve` does.
"""

from colorflow.ui.server import serve

__all__ = ["serve"]
