// For two pictures before and after, `element`: moves the handle, which stays where it is when other
// pictures come, and fills the screen. There a click shows the picture in the photo's own pixels,
// which the server makes when it is asked to, and the next click fits it to the screen again.
let at = "50";
let before = { src: "", ratio: "" };
const full = new Map(); // addresses of pictures in full size, by those of the small ones
let pressed = { x: 0, y: 0, at };
const one = (selector) => element.querySelector(selector);
const show = () => {
    const input = one("input");
    if (!input) return;
    input.value = at;
    const compare = input.closest(".compare");
    compare.style.setProperty("--at", at);
    one(".full").hidden = !document.fullscreenEnabled;
};
// The picture before stays until the next one has come.
const change = () => {
    const image = one(".compare img");
    if (!image) return;
    const ratio = one(".compare-frame").style.getPropertyValue("--ratio");
    const { style } = image.parentElement;
    if (!image.complete && ratio === before.ratio) style.backgroundImage = `url("${before.src}")`;
    image.addEventListener("load", () => (style.backgroundImage = ""));
    before = { src: image.src, ratio };
    show();
};
const label = (button, words) => one(button)?.setAttribute("aria-label", words);
const fit = () => {
    one(".compare-frame")?.classList.remove("zoomed");
    label(".zoom", "Zoom to 100 %");
};
const zoom = (across, down) => {
    const whole = one(".whole");
    if (!whole.firstChild) {
        whole.append(one(".compare img").cloneNode());
        whole.firstChild.draggable = false;
        if (full.has(before.src)) whole.firstChild.src = full.get(before.src);
        else trigger("select", { index: 0, value: "full" });
    }
    const image = whole.firstChild;
    image.style.width = `${whole.dataset.width / devicePixelRatio}px`;
    one(".compare-frame").classList.add("zoomed");
    label(".zoom", "Fit to the screen");
    whole.scrollLeft = across * image.clientWidth - whole.clientWidth / 2;
    whole.scrollTop = down * image.clientHeight - whole.clientHeight / 2;
    whole.focus();
};
element.addEventListener("input", (event) => {
    at = event.target.value;
    show();
});
element.addEventListener("pointerdown", (event) => {
    pressed = { x: event.clientX, y: event.clientY, at };
});
element.addEventListener("pointermove", (event) => {
    if (event.buttons !== 1 || event.pointerType === "touch") return;
    event.target.closest(".whole")?.scrollBy(-event.movementX, -event.movementY);
});
element.addEventListener("click", (event) => {
    const { target, clientX: x, clientY: y } = event;
    const zoomed = one(".compare-frame.zoomed");
    if (target.closest(".zoom")) return zoomed ? fit() : zoom(0.5, 0.5);
    if (target.closest("button")) {
        if (document.fullscreenElement) document.exitFullscreen();
        else one(".compare-frame").requestFullscreen();
        return;
    }
    const moved = Math.hypot(x - pressed.x, y - pressed.y) > 4;
    if (moved || !document.fullscreenElement) return;
    if (zoomed) return fit();
    at = pressed.at;
    show();
    const box = one(".compare").getBoundingClientRect();
    zoom((x - box.left) / box.width, (y - box.top) / box.height);
});
element.addEventListener("fullscreenchange", () => {
    label(".full", document.fullscreenElement ? "Exit full screen" : "Full screen");
    fit();
});
watch("value", change);
watch("full", () => {
    if (!props.full || !one(".whole img")) return;
    full.set(before.src, props.full);
    one(".whole img").src = props.full;
});
