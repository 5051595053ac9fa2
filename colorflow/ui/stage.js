// For the large picture, `element`. Its view says what it is for: to compare the photo before and
// after, to click points, to drag corners of a frame, or to draw strokes over places; `data-draws`
// says that strokes are drawn where points are clicked, too. Gradio's slider has no keys, and its
// pictures take no strokes and cannot be seen closer. The sheet has the picture and what lies on it;
// the pane is the window on it. Points go to the server as shares of the picture's sides, corners
// and strokes in its pixels.
const one = (selector) => element.querySelector(selector);
const all = (selector) => [...element.querySelectorAll(selector)];
const stage = () => one(".stage");
const sheet = () => one(".sheet");
const hits = (event) =>
    stage()?.contains(event.target) && !event.target.closest("button:not(.corner), input");
const view = () => stage()?.dataset.view;
const draws = () => view() === "places" || stage()?.hasAttribute("data-draws");
const CLICK = 4; // pixels of the screen up to which a pointer has not moved
let at = "50";
let corners = [];
let acted = null;
let dragged = null;
let stroke = null;
let shown = {};

// seen closer

let zoom = 1; // the sheet's width, divided by the pane's
let middle = [0.5, 0.5]; // of the pane, in shares of the sheet's sides
let held = null; // where a pointer holds the sheet, to move it
let isMoved = false; // whether the press that ends is no click
let scrolled = -Infinity; // when the page was last
const fingers = new Map(); // on the picture, by their pointers
const asked = new Set(); // pictures that were wanted with all their pixels

const share = (box, [x, y]) =>
    [(x - box.left) / box.width, (y - box.top) / box.height].map((to) => Math.min(Math.max(to, 0), 1));
const shareOf = (element, point) => share(element.getBoundingClientRect(), point);
const point = (event) => [event.clientX, event.clientY];
const distance = ([x, y], [toX, toY]) => Math.hypot(toX - x, toY - y);
const pixelZoom = () => stage().dataset.width / (stage().clientWidth * devicePixelRatio);
const mostZoom = () => Math.max(8, 4 * pixelZoom());
const look = () => {
    const pane = one(".pane");
    if (!pane) return;
    stage().classList.toggle("zoomed", zoom > 1);
    stage().style.setProperty("--zoom", zoom);
    pane.scrollLeft = middle[0] * sheet().clientWidth - stage().clientWidth / 2;
    pane.scrollTop = middle[1] * sheet().clientHeight - stage().clientHeight / 2;
    const pressed = { fit: zoom === 1, pixels: zoom > 1 && zoom === pixelZoom() };
    for (const button of all("[data-zoom]")) {
        const { zoom: act } = button.dataset;
        if (act in pressed) button.setAttribute("aria-pressed", pressed[act]);
        if (act === "pixels") button.disabled = pixelZoom() <= 1;
    }
    compare();
    sharpen();
};
// What was under `before` comes under `now`, both points of the window; what is in the middle stays.
const zoomTo = (to, before = null, now = before) => {
    const fixed = before ? shareOf(sheet(), before) : middle;
    const place = now ? shareOf(stage(), now) : [0.5, 0.5];
    zoom = Math.min(Math.max(to, 1), mostZoom());
    middle = zoom === 1 ? [0.5, 0.5] : fixed.map((part, i) => part + (0.5 - place[i]) / zoom);
    look();
};
const zoomBy = (act) =>
    zoomTo({ in: 1.5 * zoom, out: zoom / 1.5, fit: 1, pixels: pixelZoom() }[act]);
// A preview has fewer pixels than the photo. The picture in full size takes its place.
const sharpen = () => {
    if (!sheet() || zoom === 1) return;
    const needed = Math.min(stage().dataset.width, sheet().clientWidth * devicePixelRatio);
    for (const image of all("img[data-full]")) {
        const { full } = image.dataset;
        const src = image.getAttribute("src");
        if (!image.naturalWidth || image.naturalWidth >= needed || src === full) continue;
        if (full) image.src = full;
        else if (!asked.has(src)) trigger("select", { index: 0, value: "detail" });
        asked.add(src);
    }
};

// what it is for

const place = (event) => shareOf(sheet(), point(event));
const scaled = ([x, y]) => [x * stage().dataset.width, y * stage().dataset.height];
const pixel = (event) => scaled(place(event));
const compare = () => {
    if (!stage()) return;
    const input = one("input[type=range]");
    if (input) input.value = at;
    const seen = one(".pane").scrollLeft + (at / 100) * stage().clientWidth;
    stage().style.setProperty("--at", at);
    stage().style.setProperty("--cut", (100 * seen) / sheet().clientWidth);
};
const show = () => {
    const { width, height } = stage().dataset;
    const path = corners.map((corner) => corner.join(" ")).join("L");
    one(".outside").setAttribute("d", `M0 0H${width}V${height}H0ZM${path}Z`);
    one(".inside").setAttribute("d", `M${path}Z`);
    all(".corner").forEach((corner, i) => {
        corner.style.left = `${(100 * corners[i][0]) / width}%`;
        corner.style.top = `${(100 * corners[i][1]) / height}%`;
    });
};
const put = (index, x, y) => {
    const { width, height } = stage().dataset;
    corners[index] = [Math.min(Math.max(x, 0), width), Math.min(Math.max(y, 0), height)];
    corners[index].forEach((to, axis) => {
        all("input[type=number]")[2 * index + axis].value = to.toFixed(1);
    });
    show();
};
const read = () => {
    const numbers = all("input[type=number]").map((input) => parseFloat(input.value));
    corners = [0, 2, 4, 6].map((i) => numbers.slice(i, i + 2));
    if (numbers.every(Number.isFinite)) show();
};
const update = () => {
    const { name, view: now } = stage()?.dataset ?? {};
    if (name !== shown.name) [zoom, middle] = [1, [0.5, 0.5]];
    look();
    if (now === "frame") read();
    const full = one(".full");
    if (full) full.hidden = !document.fullscreenEnabled;
    full?.setAttribute("aria-label", document.fullscreenElement ? "Exit full screen" : "Full screen");
    if (acted?.act) {
        const alike = all(`[data-act="${acted.act}"]`);
        const same = alike.find((button) => button.dataset.index === acted.index) ?? alike[0];
        same?.focus({ preventScroll: true });
    }
    const palette = one(".palette")?.getBoundingClientRect();
    if (palette && (acted || now !== shown.now))
        window.scrollBy(0, Math.max(palette.bottom - innerHeight, 0));
    acted = null;
    shown = { name, now };
};

// pointers

element.addEventListener("pointerdown", (event) => {
    if (!stage()?.contains(event.target) || event.button) return;
    if (!fingers.size) isMoved = false;
    one("polyline")?.removeAttribute("points");
    if (event.pointerType === "touch") fingers.set(event.pointerId, point(event));
    if (fingers.size > 1) {
        stroke = dragged = null;
        isMoved = true;
    } else if (event.target.matches(".corner")) {
        event.preventDefault(); // or it is no drag
        event.target.focus({ preventScroll: true });
        const index = all(".corner").indexOf(event.target);
        const [x, y] = pixel(event);
        dragged = { index, x: corners[index][0] - x, y: corners[index][1] - y };
    } else if (hits(event) && draws()) stroke = [place(event)];
    else if (hits(event) && !fingers.size) held = point(event); // fingers scroll it
    if (stroke || dragged) stage().setPointerCapture(event.pointerId);
});
element.addEventListener("pointermove", (event) => {
    const now = point(event);
    if (fingers.has(event.pointerId)) {
        const center = ([[x, y], [otherX, otherY]]) => [(x + otherX) / 2, (y + otherY) / 2];
        const before = [...fingers.values()];
        fingers.set(event.pointerId, now);
        const after = [...fingers.values()];
        if (after.length === 2) {
            const by = distance(...after) / Math.max(distance(...before), 1);
            zoomTo(zoom * by, center(before), center(after));
        }
    }
    if (held && (isMoved || distance(held, now) > CLICK)) {
        if (!isMoved) stage().setPointerCapture(event.pointerId);
        isMoved = true;
        zoomTo(zoom, held, now);
        held = now;
    }
    if (dragged) {
        const [x, y] = pixel(event);
        put(dragged.index, x + dragged.x, y + dragged.y);
    }
    if (!stroke || stroke.length >= 1000) return;
    const [to, last] = [place(event), stroke.at(-1)];
    const { clientWidth: width, clientHeight: height } = sheet();
    if (Math.hypot((to[0] - last[0]) * width, (to[1] - last[1]) * height) < CLICK) return;
    stroke.push(to);
    const points = stroke.map(([x, y]) => `${100 * x},${100 * y}`);
    one("polyline")?.setAttribute("points", points.join(" "));
});
element.addEventListener("pointerup", (event) => {
    fingers.delete(event.pointerId);
    // where points are clicked, a stroke that has not moved is a click
    isMoved ||= stroke?.length > 1;
    if (stroke && (isMoved || view() === "places"))
        trigger("select", { index: 0, value: "stroke", points: stroke.map(scaled) });
    held = stroke = null;
});
element.addEventListener("pointercancel", (event) => {
    fingers.delete(event.pointerId);
    held = dragged = stroke = null;
    one("polyline")?.removeAttribute("points");
});
// Two fingers zoom the picture, not the page.
element.addEventListener(
    "touchmove",
    (event) => {
        if (event.touches.length > 1 && event.cancelable) event.preventDefault();
    },
    { passive: false }
);
element.addEventListener(
    "wheel",
    (event) => {
        if (!stage()?.contains(event.target) || event.shiftKey) return;
        // Who scrolls the page goes on doing so when the picture comes under the pointer.
        const isPage = event.timeStamp - scrolled < 300 || (zoom === 1 && event.deltaY > 0);
        if (isPage && !event.ctrlKey) return;
        event.preventDefault();
        // Fingers on a touchpad are told as small turns of a wheel with Ctrl.
        zoomTo(zoom * Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.002)), point(event));
    },
    { passive: false }
);
window.addEventListener("scroll", (event) => {
    scrolled = event.timeStamp;
});
element.addEventListener(
    "scroll",
    (event) => {
        const pane = event.target;
        if (!pane.matches(".pane")) return;
        middle = [
            (pane.scrollLeft + stage().clientWidth / 2) / sheet().clientWidth,
            (pane.scrollTop + stage().clientHeight / 2) / sheet().clientHeight,
        ];
        compare();
    },
    true
);
element.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button?.matches(".full")) {
        if (document.fullscreenElement) document.exitFullscreen();
        else element.requestFullscreen(); // which stays when other pictures come
    } else if (button?.dataset.zoom) {
        zoomBy(button.dataset.zoom);
    } else if (button?.dataset.act) {
        const { act, index } = button.dataset;
        acted = { act, index };
        trigger("select", { index, value: act, points: corners });
    } else if (isMoved) {
        isMoved = false;
    } else if (view() === "points" && hits(event)) {
        acted = {};
        trigger("select", { index: 0, value: "point", points: [place(event)] });
    } else if (view() === "frame" && hits(event) && !dragged && event.detail) {
        const [x, y] = pixel(event);
        const far = corners.map((corner) => distance(corner, [x, y]));
        put(far.indexOf(Math.min(...far)), x, y);
    }
    dragged = null;
});
element.addEventListener("keydown", (event) => {
    if (event.target.matches("input[type=number]") || event.ctrlKey || event.metaKey) return;
    const act = { "+": "in", "=": "in", "-": "out", 0: "fit", 1: "pixels" }[event.key];
    if (act && stage()) {
        event.preventDefault();
        return zoomBy(act);
    }
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const index = all(".corner").indexOf(event.target);
    const move = moves[event.key];
    if (index < 0 || !move) return;
    event.preventDefault();
    // a step is a pixel of what is seen, ten with Shift
    const step = (event.shiftKey ? 10 : 1) * (stage().dataset.width / sheet().clientWidth);
    put(index, corners[index][0] + step * move[0], corners[index][1] + step * move[1]);
});
element.addEventListener("input", (event) => {
    if (event.target.type === "number") return read();
    at = event.target.value;
    compare();
});
element.addEventListener("load", sharpen, true);
element.addEventListener("fullscreenchange", update);
watch("value", update);
update();
// What gets the focus must not lie behind the picture, which stays where it is.
new ResizeObserver(() => {
    document.documentElement.style.setProperty("--stage", `${element.offsetHeight + 16}px`);
}).observe(element);

// Gradio keeps what is in fields when another photo comes; and who asks for the corners goes on with
// the first one.
let framed = "";
let asks = false;
element.addEventListener("click", (event) => {
    asks = Boolean(event.target.closest('[data-act="view"], [data-act="another"]'));
});
watch("value", () => {
    const now = one(".corners")?.dataset.photo;
    if (!now) return;
    if (now !== framed) all("input[type=number]").forEach((input) => (input.value = input.defaultValue));
    framed = now;
    read();
    if (asks) one(".corner").focus({ preventScroll: true });
    asks = false;
});
