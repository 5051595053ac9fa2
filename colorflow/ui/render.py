"""What the page shows of a desk: every part whole, as HTML. Knows nothing of Gradio.

Buttons carry `data-act` and `data-index`, which listen.js and stage.js send. `page.css` shows and
hides controls by the classes of the part "state".
"""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from pathlib import Path

from colorflow.batch.task import left_out_text, share_text
from colorflow.colorizer import Hint
from colorflow.photo import Kind
from colorflow.ui.desk import Desk, DeskPhoto
from colorflow.ui.photos import PhotoFile, file_url
from colorflow.ui.prepare import turned, turned_preview
from colorflow.ui.status import line
from colorflow.ui.swatches import MATERIALS, REACHES, Swatch
from colorflow.ui.work import STOPS

SAMPLE_PHOTOS = Path(__file__).with_name("sample_photos")
EXAMPLES = {"portrait.jpg": "Portrait", "cat.jpg": "Cat", "coffee.jpg": "Coffee"}
"""Photos to try: names of the files, and what they show. They are gray versions of pictures that
scikit-image ships: `astronaut` (NASA, public domain), `chelsea` (Stéfan van der Walt, CC0) and
`coffee` (Rachel Michetti, CC0). The buttons have the colors that the shipped weights give them
(`benchmarks.page_pictures.color_samples`)."""
PARTS = (
    "state", "status", "strip", "stage", "gallery", "prepare", "points", "unsure", "references",
    "file",
)  # fmt: skip
"""Names of what `render` gives."""
_MOST_SAID = 5
"""Files with which something is wrong and that are named on the page."""
_CORNERS = ("Upper left", "Upper right", "Lower right", "Lower left")
_ABOUT_KIND = {
    Kind.GRAY: "a gray photo",
    Kind.TINTED: "a toned photo (sepia or the like), colored as if it were gray",
    Kind.COLORED: "its own colors are left out",
}
_LEFT_ALONE = (
    "This photo already has colors. If it is the scan of a gray photo, or to see it in other "
    "colors, treat it as gray."
)
_WELCOME = """
<ol class="welcome">
<li><h2>Put a photo on the desk</h2>A scan, or a picture of the print taken with a phone; sepia is
fine. It may be a whole album, too.</li>
<li><h2>Color it</h2>First comes the average of all colorings that suit the photo, then other kinds
with their shares: the dress may be red in 41 of 100, and blue in the others.</li>
<li><h2>Say what you know</h2>Click the coat and choose its color. Then take the picture home in its
own size, or larger.</li>
</ol>
"""


def render(desk: Desk) -> dict[str, str]:
    """Everything that the page shows of a desk, by the names of `PARTS`."""
    photo = desk.at
    return {
        "state": _state(desk),
        "status": _status(desk),
        "strip": _strip(desk),
        "stage": _stage(desk, photo) if photo else f"{_WELCOME}{_examples()}",
        "gallery": _gallery(photo) if photo else "",
        "prepare": _prepare(desk, photo) if photo else "",
        "points": _points(desk, photo) if photo else "",
        "unsure": _map(photo, "unsure") if photo else "",
        "references": _references(photo) if photo else "",
        "file": _file(desk),
    }


def _state(desk: Desk) -> str:
    """Classes by which page.css shows what can be done."""
    photo, photos = desk.at, desk.photos
    has = {
        "photo": photo is not None,
        "album": len(photos) + len(desk.waiting) > 1,
        "coloring": photo is not None and photo.chosen is not None,
        "colorings": any(one.colorings for one in photos),
        "own-colors": photo is not None and photo.has_colors,
        "left-alone": photo is not None and photo.is_left_alone,
        "several-left-alone": sum(one.is_left_alone for one in photos) > 1,
        "repairs": photo is not None and photo.plan.repairs,
        "point": photo is not None and photo.points.target is not None,
        "points": photo is not None and bool(photo.points.hints),
        "references": photo is not None and bool(photo.references),
        "unsaved": any(one.is_unsaved for one in photos),
    }
    return f'<span hidden class="{" ".join(f"has-{name}" for name in has if has[name])}"></span>'


def _status(desk: Desk) -> str:
    said = []
    for kind, wish in desk.wishes.items():
        text = wish.said if wish.is_begun else "Waiting for its turn ..."
        share = "" if wish.share is None else f' value="{wish.share:.3f}"'
        said.append(
            f'<div class="wish"><p class="good">{html.escape(text)}</p>'
            f'<progress max="1"{share} aria-hidden="true"></progress>'
            f"{_button('cancel', 'Cancel', kind, label=f'Cancel: {text}')}</div>"
        )
    if desk.said:
        said.append(line(desk.said, bad=desk.is_bad))
    named = [f"{one.name}: {one.reason}" for one in desk.problems if not one.is_left_out]
    said += [line(one, bad=True) for one in named[:_MOST_SAID]]
    if len(named) > _MOST_SAID:
        more = f"{len(named) - _MOST_SAID} more; the contact sheet in the zip names all."
        said.append(line(more, bad=True))
    if left_out := [one.name for one in desk.problems if one.is_left_out]:
        said.append(line(f"{left_out_text(left_out)}."))
    if desk.at and desk.at.is_left_alone and not desk.at.colorings:
        said.append(line(_LEFT_ALONE))
    return "".join(said)


def _strip(desk: Desk) -> str:
    """Small pictures of the photos as buttons."""
    tiles = []
    for index, one in enumerate(desk.photos):
        name = html.escape(one.name)
        tick = '<span class="tick" role="img" aria-label="colored">✓</span>'
        remove = _button("remove", "×", index, label=f"Take {one.name} away")
        tiles.append(
            f'<span><button type="button" data-act="look" data-index="{index}" title="{name}" '
            f'aria-pressed="{str(one is desk.at).lower()}">'
            f'<img src="{file_url(one.form.photo.thumbnail)}" alt="{name}" loading="lazy">'
            f"{tick if one.colorings else ''}</button>"
            f"{remove if one is desk.at else ''}</span>"
        )
    if not tiles:
        return ""
    return f'<div role="group" aria-label="Your photos" class="strip">{"".join(tiles)}</div>'


# the large picture


def _stage(desk: Desk, photo: DeskPhoto) -> str:
    if desk.view == "frame":
        return _frame(photo)
    if desk.view == "places" and photo.plan.repairs:
        return _places(photo)
    form, after = photo.shown_form, photo.shown
    before: Path | None = form.photo.preview
    if photo.chosen is None:
        after = form.photo.preview
        before = form.base.preview if form.photo is not form.base else None
    elif photo.has_colors and desk.compares_gray:
        before = form.photo.gray
    assert after
    how = "colored" if photo.chosen else "as it is"
    marks = ""
    if desk.view == "points":
        marks = _marks(photo)
    pictures = f'<img src="{file_url(after)}" alt="Your photo, {how}" draggable="false">'
    if before:
        pictures += (
            f'<img class="before" src="{file_url(before)}" alt="Your photo before" '
            'draggable="false"><span class="handle"></span>'
            '<input type="range" min="0" max="100" step="2" value="50" '
            'aria-label="Percent of the photo before">'
        )
    kind = "has its own colors" if photo.is_left_alone else _ABOUT_KIND[photo.upload.kind]
    hint = f"{html.escape(photo.name)}: {form.photo.width} × {form.photo.height} pixels, {kind}."
    if desk.view == "points":
        hint = "Click a point whose color you know, then choose its color."
    return _picture(form.photo, f"{pictures}{marks}", desk.view, hint)


def _picture(photo: PhotoFile, inside: str, view: str, said: str) -> str:
    ratio = photo.width / photo.height
    return (
        f'<p class="stage-hint">{said}</p><div class="stage-frame">'
        f'<div class="stage" data-view="{view}" style="--ratio:{ratio:.4f}">{inside}'
        '<button type="button" class="full" aria-label="Full screen">'
        '<svg viewBox="0 0 24 24" aria-hidden="true">'
        '<path d="M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5"/></svg></button></div></div>'
    )


def _marks(photo: DeskPhoto) -> str:
    """Buttons at the points, in their colors."""
    form, points, marks = photo.shown_form, photo.points, ""
    for number, hint in enumerate(points.hints):
        if place := photo.hints_on(form, (hint,)):
            color = Swatch(photo.lightness_at(hint.row, hint.column), hint.a, hint.b)
            current = " current" if number == points.current else ""
            marks += (
                f'<button type="button" class="mark{current}" data-act="hold" '
                f'data-index="{number}" aria-label="Point {number + 1}: {color.name}" '
                f'style="{_at(place[0].column, place[0].row, form.photo)};background:{color.hex}">'
                f"{number + 1}</button>"
            )
    if points.new and (place := photo.hints_on(form, (Hint(*points.new, 0, 0),))):
        at = _at(place[0].column, place[0].row, form.photo)
        marks += f'<span class="mark current" style="{at}"></span>'
    return marks


def _at(x: float, y: float, photo: PhotoFile) -> str:
    return f"left:{100 * (x + 0.5) / photo.width:.3f}%;top:{100 * (y + 0.5) / photo.height:.3f}%"


def _frame(photo: DeskPhoto) -> str:
    """The upload with the corners of what is cut out, and what can be done; see stage.js."""
    upload, turns, found = photo.upload, photo.plan.turns, len(photo.prints)
    corners = turned(photo.corners, turns, upload.width, upload.height)
    width, height = (upload.width, upload.height)[:: -1 if turns % 2 else 1]
    said = "Drag the corners to those of the print, and cut it out."
    if found:
        said = "A print was found. Correct its corners if they are wrong, and cut it out."
    if found > 1:
        said = f"{found} prints were found. Choose one, and cut it out; another one can follow."
    if photo.form.plan.frame:
        said = "This is cut out. Other corners can be cut out instead."
    handles = fields = ""
    for number, name in enumerate(_CORNERS):
        handles += f'<button type="button" class="corner" aria-label="{name} corner"></button>'
        for axis, most in (("across", width), ("down", height)):
            fields += (
                f'<label>{name}, {axis}<input type="number" min="0" max="{most}" step="any" '
                f'value="{corners[number][axis == "down"]:.1f}"></label>'
            )
    inside = (
        f'<img src="{file_url(turned_preview(upload, turns))}" alt="What was uploaded, with the '
        f'frame that is cut out" draggable="false"><svg viewBox="0 0 {width} {height}" '
        'preserveAspectRatio="none" aria-hidden="true"><path class="outside"/>'
        f'<path class="inside"/></svg>{handles}'
    )
    names = [f"Print {number + 1}" for number in range(found)] if found > 1 else ["Found print"]
    acts = [_button(f"print{number}", name) for number, name in enumerate(names[:found])]
    acts += [
        _button("cut", "Cut out", kind="primary"),
        _button("whole", "Use the whole scan"),
        _button("left", "Turn left"),
        _button("right", "Turn right"),
    ]
    more = f'data-width="{width}" data-height="{height}" data-turns="{turns}"'
    ratio = f'style="--ratio:{width / height:.4f}"'
    return (
        f'<p class="stage-hint">{said}</p><div class="stage-frame"><div class="stage" '
        f'data-view="frame" {ratio} {more}>{inside}</div></div>'
        f'<div class="acts">{"".join(acts)}</div>'
        "<details><summary>Give the corners in numbers</summary>"
        f'<div class="corners">{fields}</div></details>'
    )


def _places(photo: DeskPhoto) -> str:
    """What is cut out with what is repaired of it."""
    base, places = photo.form.base, photo.places
    inside = (
        f'<img src="{file_url(base.preview)}" alt="Your photo; click it to add a place to '
        'repair, or to take one back" draggable="false">'
    )
    said = "Damage is being looked for ..."
    if places:
        inside += f'<img src="{file_url(places)}" alt="What is repaired" draggable="false">'
        said = (
            "The colored places are repaired. Click one to leave it as it is; click or draw "
            "anywhere else to have that repaired, too."
        )
    inside += (
        '<svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true"><polyline/></svg>'
    )
    return _picture(base, inside, "places", said)


# beside it


def _gallery(photo: DeskPhoto) -> str:
    """The photo itself, and its colorings."""
    gallery = photo.gallery
    if not gallery:
        return ""
    tiles = [(photo.form.photo.preview, "As it is", photo.chosen is None)]
    tiles += [(one.preview, one.caption, one is photo.chosen) for one in gallery]
    buttons = "".join(
        f'<button type="button" data-act="choose" data-index="{index - 1}" '
        f'aria-pressed="{str(is_chosen).lower()}"><img src="{file_url(picture)}" alt="" '
        f'loading="lazy"><span>{html.escape(caption)}</span></button>'
        for index, (picture, caption, is_chosen) in enumerate(tiles)
    )
    return f'<div role="group" aria-label="Its colorings" class="gallery">{buttons}</div>'


def _prepare(desk: Desk, photo: DeskPhoto) -> str:
    """What of the print is seen large."""
    views = {"photo": "The result", "frame": "The corners"}
    if photo.plan.repairs:
        views["places"] = "The damage"
    shown = "photo" if desk.view == "points" else desk.view
    buttons = "".join(
        _button("view", name, view, pressed=view == shown) for view, name in views.items()
    )
    said = ""
    if photo.form.plan.repairs:
        said = "No damage was found; choose Most, or click the places that you see."
        if photo.form.share:
            said = f"{share_text(photo.form.share)} of the photo is repaired."
    group = f'<div role="group" aria-label="Show large" class="acts">{buttons}</div>'
    return f"{group}{line(said) if said else ''}"


def _points(desk: Desk, photo: DeskPhoto) -> str:
    """Colors for the point that gets the next one, and all points."""
    points, parts = photo.points, []
    if points.target:
        swatches = desk.swatches(photo)
        found = swatches[len(MATERIALS) :]
        looking = "<p>Looking for them ...</p>" if photo.likely is None else ""
        parts += [
            "<h3>Likely colors of this point</h3>",
            looking or _swatches("Likely colors", found, len(MATERIALS)),
            "<h3>What it may be</h3>",
            _swatches("What it may be", swatches[: len(MATERIALS)], 0),
        ]
    if points.hints:
        rows = "".join(_point(photo, index) for index in range(len(points.hints)))
        parts += ["<h3>Your points</h3>", f'<ul class="points">{rows}</ul>']
    if points.held and points.current is not None:
        parts.append(line(f"Point {points.current + 1}: click its new place, or choose a color."))
    return "".join(parts) or "<p>Click a point of the photo whose color you know.</p>"


def _swatches(label: str, swatches: Sequence[Swatch], first: int) -> str:
    buttons = "".join(
        f'<button type="button" class="swatch" data-act="pick" data-index="{index}">{_chip(one)}'
        f"<span>{one.material or one.name}</span>"
        + ("" if one.share is None else f"<small>{max(1, round(100 * one.share))} %</small>")
        + "</button>"
        for index, one in enumerate(swatches, first)
    )
    return f'<div role="group" aria-label="{label}" class="swatches">{buttons}</div>'


def _point(photo: DeskPhoto, index: int) -> str:
    points, hint = photo.points, photo.points.hints[index]
    color = Swatch(photo.lightness_at(hint.row, hint.column), hint.a, hint.b)
    reach = next(name for name, reach in REACHES.items() if reach == hint.reach)
    said = "" if hint.reach == "thing" else f"; {reach.lower()}"
    is_current = index == points.current
    return (
        f"<li{' class=current' if is_current else ''}>"
        f'<button type="button" class="point" data-act="hold" data-index="{index}" '
        f'aria-pressed="{str(is_current and points.held).lower()}" '
        f'title="Move it, or change its color">{_chip(color)}<span>{index + 1}. {color.name}'
        f"</span><small>{hint.column:.0f} across, {hint.row:.0f} down{said}</small></button>"
        + _button("delete", "×", index, label=f"Delete point {index + 1}")
        + "</li>"
    )


def _chip(swatch: Swatch) -> str:
    return f'<span class="chip" style="background: {swatch.hex}"></span>'


def _references(photo: DeskPhoto) -> str:
    """The photos whose colors this one gets, and where they had something to say."""
    tiles = "".join(
        f'<span><img src="{file_url(one.picture)}" alt="{html.escape(one.name)}">'
        + _button("unrefer", "×", index, label=f"Take {one.name} away")
        + "</span>"
        for index, one in enumerate(photo.references)
    )
    return (f'<div class="strip">{tiles}</div>' if tiles else "") + _map(photo, "reference")


def _map(photo: DeskPhoto, name: str) -> str:
    """A picture of where the model is unsure, or found the reference's colors."""
    if name not in photo.maps:
        return ""
    low, high, said = {
        "unsure": (
            "Sure",
            "Unsure",
            "Where it is dark, the photo shows which colors it had; where it is bright, many "
            "colors would suit it.",
        ),
        "reference": (
            "Nothing alike",
            "Alike",
            "Where it is bright, something alike was found, and has given its colors.",
        ),
    }[name]
    stops = ", ".join("rgb({}, {}, {})".format(*stop) for stop in STOPS)
    return (
        f'<img class="map" src="{file_url(photo.maps[name])}" alt="Your photo; bright is: {high}">'
        f'<div class="scale"><span>{low}</span><span class="bar" style="background: '
        f'linear-gradient(90deg, {stops})"></span><span>{high}</span></div><p>{said}</p>'
    )


def _file(desk: Desk) -> str:
    """The last file that was made, as a link; listen.js follows it once."""
    if desk.finished is None:
        return ""
    path = desk.finished.path
    name = html.escape(path.name)
    return (
        f'<a download="{name}" href="{file_url(path)}" data-number="{desk.finished.number}">'
        f"Save {name} again</a>"
    )


def _examples() -> str:
    """The photos to try as buttons: half in gray, and half in color."""
    buttons = "".join(
        f'<button type="button" data-act="try" data-index="{index}">'
        f'<img src="{_address(SAMPLE_PHOTOS / "colored" / name)}" alt="Photo to try:">'
        f"<span>{html.escape(said)}</span></button>"
        for index, (name, said) in enumerate(EXAMPLES.items())
    )
    return (
        "<h2>Or try one of these</h2>"
        f'<div role="group" aria-label="Photos to try" class="samples">{buttons}</div>'
    )


def _address(picture: Path) -> str:
    """The picture itself, as the address of a picture."""
    return f"data:image/jpeg;base64,{base64.b64encode(picture.read_bytes()).decode('ascii')}"


def _button(
    act: str,
    text: str,
    index: object = 0,
    *,
    label: str = "",
    kind: str = "",
    pressed: bool | None = None,
) -> str:
    named = f' aria-label="{html.escape(label)}"' if label else ""
    state = "" if pressed is None else f' aria-pressed="{str(pressed).lower()}"'
    return (
        f'<button type="button" class="{kind}" data-act="{act}" data-index="{index}"{named}{state}>'
        f"{text}</button>"
    )
