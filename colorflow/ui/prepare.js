// For a gr.HTML with a picture, `element`: corners of a frame that are dragged, moved by arrow keys or
// given in numbers, and buttons that send them; or strokes that are drawn over the picture. Points go
// to the server in select events: corners in pixels of the picture, strokes in shares of its sides.
const all = selector => [...element.querySelectorAll(selector)];
const stage = () => element.querySelector(".prepare-stage");
let corners = [];
let acted = null;
let dragged = null;
let stroke = null;

const place = event => {
    const box = stage().getBoundingClientRect();
    const share = (at, from, size) => Math.min(Math.max((at - from) / size, 0), 1);
    return [share(event.clientX, box.left, box.width), share(event.clientY, box.top, box.height)];
};
const onPhoto = event => {
    const [x, y] = place(event);
    return [x * stage().dataset.width, y * stage().dataset.height];
};
const show = () => {
    const { width, height } = stage().dataset;
    const path = corners.map(corner => corner.join(" ")).join("L");
    element.querySelector(".outside").setAttribute("d", `M0 0H${width}V${height}H0ZM${path}Z`);
    element.querySelector(".inside").setAttribute("d", `M${path}Z`);
    all(".corner").forEach((corner, i) => {
        corner.style.left = `${(100 * corners[i][0]) / width}%`;
        corner.style.top = `${(100 * corners[i][1]) / height}%`;
    });
};
const put = (index, x, y) => {
    const { width, height } = stage().dataset;
    corners[index] = [Math.min(Math.max(x, 0), width), Math.min(Math.max(y, 0), height)];
    corners[index].forEach((value, axis) => (all("input")[2 * index + axis].value = value.toFixed(1)));
    show();
};
const read = () => {
    if (!element.querySelector(".frame")) return;
    const numbers = all("input").map(input => (input.value === "" ? null : Number(input.value)));
    corners = [0, 2, 4, 6].map(i => numbers.slice(i, i + 2));
    if (numbers.every(Number.isFinite)) show();
};
const draw = () => {
    const points = stroke.map(([x, y]) => `${100 * x},${100 * y}`);
    element.querySelector("polyline").setAttribute("points", points.join(" "));
};

element.addEventListener("pointerdown", event => {
    if (!stage()?.contains(event.target) || event.button) return;
    if (stage().matches(".places")) {
        stroke = [place(event)];
        draw();
    } else {
        const index = all(".corner").indexOf(event.target);
        if (index < 0) return;
        event.preventDefault(); // or it is no drag
        event.target.focus({ preventScroll: true });
        const [x, y] = onPhoto(event);
        dragged = { index, x: corners[index][0] - x, y: corners[index][1] - y };
    }
    stage().setPointerCapture(event.pointerId);
});
element.addEventListener("pointermove", event => {
    if (dragged) {
        const [x, y] = onPhoto(event);
        put(dragged.index, x + dragged.x, y + dragged.y);
    }
    if (!stroke || stroke.length >= 1000) return;
    const [x, y] = place(event);
    const [beforeX, beforeY] = stroke.at(-1);
    const { clientWidth: width, clientHeight: height } = stage();
    if (Math.hypot((x - beforeX) * width, (y - beforeY) * height) < 4) return;
    stroke.push([x, y]);
    draw();
});
element.addEventListener("pointerup", () => {
    if (stroke) trigger("select", { index: 0, value: stroke });
    stroke = null;
});
element.addEventListener("pointercancel", () => {
    dragged = stroke = null;
    element.querySelector("polyline")?.removeAttribute("points");
});
element.addEventListener("click", event => {
    const button = event.target.closest("button[data-act]");
    if (button) {
        acted = button.dataset.act;
        const turns = Number(stage().dataset.turns);
        trigger("select", { index: acted, value: corners, turns });
    } else if (stage()?.matches(".frame") && stage().contains(event.target) && !dragged) {
        const [x, y] = onPhoto(event);
        const far = corners.map(corner => Math.hypot(corner[0] - x, corner[1] - y));
        if (event.detail) put(far.indexOf(Math.min(...far)), x, y); // no key was pressed
    }
    dragged = null;
});
element.addEventListener("keydown", event => {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const index = all(".corner").indexOf(event.target);
    const move = moves[event.key];
    if (index < 0 || !move) return;
    event.preventDefault();
    // a step is a pixel of what is seen, ten with Shift
    const step = (event.shiftKey ? 10 : 1) * (stage().dataset.width / stage().clientWidth);
    put(index, corners[index][0] + step * move[0], corners[index][1] + step * move[1]);
});
element.addEventListener("input", read);
watch("value", () => {
    read();
    if (acted) element.querySelector(`[data-act=${acted}]`)?.focus({ preventScroll: true });
    acted = null;
});
read();
