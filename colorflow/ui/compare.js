// For two pictures before and after, `element`: moves the handle, which stays where it is when other
// pictures come, and fills the screen.
let at = "50";
const show = () => {
    const input = element.querySelector("input");
    if (!input) return;
    input.value = at;
    input.closest(".compare").style.setProperty("--at", at);
    element.querySelector("button").hidden = !document.fullscreenEnabled;
};
element.addEventListener("input", (event) => {
    at = event.target.value;
    show();
});
element.addEventListener("click", (event) => {
    if (!event.target.closest("button")) return;
    if (document.fullscreenElement) document.exitFullscreen();
    else element.querySelector(".compare-frame").requestFullscreen();
});
element.addEventListener("fullscreenchange", () => {
    const label = document.fullscreenElement ? "Exit full screen" : "Full screen";
    element.querySelector("button")?.setAttribute("aria-label", label);
});
watch("value", show);
