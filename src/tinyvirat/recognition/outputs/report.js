"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const video = document.querySelector("video");
  const head = document.getElementById("head");
  const now = document.querySelector(".now");
  const count = document.getElementById("count");
  const tubes = [...document.querySelectorAll(".tube")];
  const bars = [...document.querySelectorAll(".timeline g[data-tube]")];
  const chosen = new Set();

  function seek(time) {
    if (!video) return;
    // A little after, so that rounding never shows the frame before.
    video.currentTime = Math.max(0, time + 0.002);
    video.play().catch(() => {});
    const box = video.getBoundingClientRect();
    if (box.top < 0 || box.bottom > innerHeight) {
      video.scrollIntoView({ block: "start", behavior: "smooth" });
    }
  }

  function light(tube) {
    for (const one of tubes) one.classList.toggle("lit", one.dataset.tube === tube);
  }

  function picked(element) {
    light(element.dataset.tube);
    if (video) return seek(Number(element.dataset.time));
    const card = document.getElementById("tube-" + element.dataset.tube);
    if (card) card.scrollIntoView({ block: "start", behavior: "smooth" });
  }

  for (const element of document.querySelectorAll("[data-time]")) {
    element.addEventListener("click", () => picked(element));
    element.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && element.tagName === "g") picked(element);
    });
  }

  function filter() {
    const shown = (one) =>
      !chosen.size || one.dataset.labels.split(" ").some((label) => chosen.has(label));
    for (const one of tubes) one.hidden = !shown(one);
    for (const one of bars) one.classList.toggle("off", !shown(one));
    const left = tubes.filter((one) => !one.hidden).length;
    count.textContent = chosen.size ? left + " of " + tubes.length : String(tubes.length);
  }

  for (const button of document.querySelectorAll(".label")) {
    button.addEventListener("click", () => {
      const label = button.dataset.label;
      if (!chosen.delete(label)) chosen.add(label);
      button.setAttribute("aria-pressed", String(chosen.has(label)));
      filter();
    });
  }

  // What holds at the moment that is shown.
  let said = null;
  function follow() {
    const time = video.currentTime;
    const x = (100 * Math.min(1, time / data.seconds)).toFixed(3) + "%";
    head.setAttribute("x1", x);
    head.setAttribute("x2", x);
    const held = data.actions.filter((one) => one[0] <= time && time < one[1]);
    const key = held.map((one) => one[2] + ":" + one[3]).join();
    if (key === said) return;
    said = key;
    now.replaceChildren();
    for (const [, , tube, label] of held.slice(0, 12)) {
      const line = document.createElement("li");
      line.style.setProperty("--c", data.colours[label]);
      line.textContent = data.labels[label] + " (tube " + tube + ")";
      now.append(line);
    }
    if (!held.length) {
      const line = document.createElement("li");
      line.style.setProperty("--c", "transparent");
      line.className = "soft";
      line.textContent = "nothing recognised";
      now.append(line);
    }
  }
  if (video) {
    const loop = () => {
      follow();
      if (!video.paused) requestAnimationFrame(loop);
    };
    for (const name of ["play", "seeked", "loadedmetadata", "timeupdate"]) {
      video.addEventListener(name, name === "play" ? loop : follow);
    }
    follow();
  }
})();
