// Steps from picture to picture of a player on the tab “How it works”; `element` is its gr.HTML.
// page.css hides the button where reduced motion is preferred.
let timer = null;
const one = (selector) => element.querySelector(selector);
const slider = () => one("input[type=range]");
const stop = () => {
    clearInterval(timer);
    timer = null;
    if (slider()) one("button[data-play]").textContent = "Play";
};
const go = (step) => {
    const input = slider();
    input.value = step;
    for (const frame of element.querySelectorAll("[data-frame]"))
        frame.hidden = frame.dataset.frame !== input.value;
    const said = one(`[data-frame="${input.value}"] figcaption`).textContent.trim();
    input.setAttribute("aria-valuetext", said);
};
const next = () => {
    const input = slider();
    if (!input) return stop();
    go(Number(input.value) + 1);
    if (input.value === input.max) stop();
};
element.addEventListener("input", () => {
    stop();
    go(slider().value);
});
element.addEventListener("click", (event) => {
    if (!event.target.closest("button[data-play]")) return;
    if (timer) return stop();
    const { value, min, max, dataset } = slider();
    go(value === max ? min : Number(value) + 1);
    one("button[data-play]").textContent = "Pause";
    timer = setInterval(next, Number(dataset.pace));
});
watch("value", stop);
