// For the large picture, `element`. Its view says what it is for: to compare the photo before and
// after, to click points, to drag corners of a frame, or to draw strokes over places. Gradio's
// slider has no keys, and its pictures take no strokes. Points go to the server as shares of the
// picture's sides, corners and strokes in its pixels.
const one = (selector) => element.querySelector(selector);
const all = (selector) => [...element.querySelectorAll(selector)];
const stage = () => one(".stage");
const hits = (event) =>
    stage()?.contains(event.target) && !event.target.closest("button:not(.corner), input");
const view = () => stage()?.dataset.view;
let at = "50";
let corners = [];
let acted = null;
let dragged = null;
let stroke = null;

const place = (event) => {
    const box = stage().getBoundingClientRect();
    const share = (to, from, size) => Math.min(Math.max((to - from) / size, 0), 1);
    return [share(event.clientX, box.left, box.width), share(event.clientY, box.top, box.height)];
};
const scaled = ([x, y]) => [x * stage().dataset.width, y * stage().dataset.height];
const pixel = (event) => scaled(place(event));
const compare = () => {
    const input = one("input[type=range]");
    if (input) input.value = at;
    stage()?.style.setProperty("--at", at);
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
    compare();
    if (view() === "frame") read();
    const full = one(".full");
    if (full) full.hidden = !document.fullscreenEnabled;
    full?.setAttribute("aria-label", document.fullscreenElement ? "Exit full screen" : "Full screen");
    if (acted) one(`[data-act="${acted}"]`)?.focus({ preventScroll: true });
    acted = null;
};

element.addEventListener("pointerdown", (event) => {
    if (!hits(event) || event.button) return;
    if (view() === "places") stroke = [place(event)];
    if (event.target.matches(".corner")) {
        event.preventDefault(); // or it is no drag
        event.target.focus({ preventScroll: true });
        const index = all(".corner").indexOf(event.target);
        const [x, y] = pixel(event);
        dragged = { index, x: corners[index][0] - x, y: corners[index][1] - y };
    }
    if (stroke || dragged) stage().setPointerCapture(event.pointerId);
});
element.addEventListener("pointermove", (event) => {
    if (dragged) {
        const [x, y] = pixel(event);
        put(dragged.index, x + dragged.x, y + dragged.y);
    }
    if (!stroke || stroke.length >= 1000) return;
    const [[x, y], [beforeX, beforeY]] = [place(event), stroke.at(-1)];
    const { clientWidth: width, clientHeight: height } = stage();
    if (Math.hypot((x - beforeX) * width, (y - beforeY) * height) < 4) return;
    stroke.push([x, y]);
    const points = stroke.map(([x, y]) => `${100 * x},${100 * y}`);
    one("polyline").setAttribute("points", points.join(" "));
});
element.addEventListener("pointerup", () => {
    if (stroke) trigger("select", { index: 0, value: "stroke", points: stroke.map(scaled) });
    stroke = null;
});
element.addEventListener("pointercancel", () => {
    dragged = stroke = null;
    one("polyline")?.removeAttribute("points");
});
element.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button?.matches(".full")) {
        if (document.fullscreenElement) document.exitFullscreen();
        else element.requestFullscreen(); // which stays when other pictures come
    } else if (button?.dataset.act) {
        const { act, index } = button.dataset;
        acted = act;
        trigger("select", { index, value: act, points: corners });
    } else if (view() === "points" && hits(event)) {
        trigger("select", { index: 0, value: "point", points: [place(event)] });
    } else if (view() === "frame" && hits(event) && !dragged && event.detail) {
        const [x, y] = pixel(event);
        const far = corners.map((corner) => Math.hypot(corner[0] - x, corner[1] - y));
        put(far.indexOf(Math.min(...far)), x, y);
    }
    dragged = null;
});
element.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const index = all(".corner").indexOf(event.target);
    const move = moves[event.key];
    if (index < 0 || !move) return;
    event.preventDefault();
    // a step is a pixel of what is seen, ten with Shift
    const step = (event.shiftKey ? 10 : 1) * (stage().dataset.width / stage().clientWidth);
    put(index, corners[index][0] + step * move[0], corners[index][1] + step * move[1]);
});
element.addEventListener("input", (event) => {
    if (event.target.type === "number") return read();
    at = event.target.value;
    compare();
});
element.addEventListener("fullscreenchange", update);
watch("value", update);
update();

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
