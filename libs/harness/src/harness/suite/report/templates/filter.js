// Without this everything is shown; with it, what has all of the words.
const field = document.getElementById("words");
field.closest("p").hidden = false;
field.addEventListener("input", () => {
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const section of document.querySelectorAll("main > section:not(:last-child)")) {
    const title = section.querySelector("h2").textContent.toLowerCase();
    let shown = 0;
    for (const one of section.querySelectorAll("details.scenario")) {
      const text = `${title} ${one.className} ${one.querySelector("h3").textContent} ${
        one.querySelector("ol.steps").textContent}`.toLowerCase();
      one.hidden = !words.every((word) => text.includes(word));
      shown += one.hidden ? 0 : 1;
    }
    section.hidden = shown === 0;
  }
});
// A link to a scenario opens it.
const open = () => {
  const target = document.getElementById(location.hash.slice(1));
  if (target && target.tagName === "DETAILS") target.open = true;
};
addEventListener("hashchange", open);
open();
