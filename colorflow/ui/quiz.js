// Clicks and keys of the quiz; `element` is its stage. Who gets no answer may click again soon.
let waiting = null;
const free = () => {
    clearTimeout(waiting);
    waiting = null;
    element.classList.remove("waiting");
};
const press = (button) => {
    if (waiting || !button?.getClientRects().length) return;
    waiting = setTimeout(free, 5000);
    element.classList.add("waiting");
    const token = button.closest("[data-token]")?.dataset.token;
    if (token) trigger("choose", { token, chosen: Number(button.dataset.choice) });
    else trigger("next");
};

element.addEventListener("click", (event) => press(event.target.closest("button")));
document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.target.closest("input:not([type=radio]), textarea, select")) return;
    const buttons = [...element.querySelectorAll("button[data-key]")];
    press(buttons.find((button) => button.dataset.key === event.key.toUpperCase()));
});

// The pictures are as large as the window allows if they begin at its upper edge. They stay where
// they are when their outcome is shown, with a button below it.
const BUTTON = 96;
watch("value", () => {
    if (!waiting) return;
    free();
    element.querySelector("[data-focus]")?.focus({ preventScroll: true });
    const { top, bottom } = element.getBoundingClientRect();
    const choosing = element.querySelector("button[data-choice]");
    if (choosing && (top < 0 || bottom + BUTTON > innerHeight))
        document.querySelector("#quiz-round").scrollIntoView();
});
