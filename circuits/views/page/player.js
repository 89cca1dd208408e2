"use strict";
// The replay: pictures in the page itself, drawn onto one canvas. Nothing is fetched from anywhere.
(() => {
  const reel = JSON.parse(document.getElementById("reel").textContent);
  const part = (name) => document.getElementById(`replay-${name}`);
  const canvas = part("picture"), slider = part("slider"), button = part("play"), caption = part("caption");
  const last = reel.overlays.length - 1;
  const pace = Math.min(400, Math.max(70, 7000 / (last + 1)));
  const images = new Map();
  let wanted = 0, run = 0, isPlaying = false;

  const image = (key, content) => {
    if (!images.has(key)) {
      const one = new Image();
      one.src = `data:image/webp;base64,${content}`;
      images.set(key, one.decode().then(() => one));
    }
    return images.get(key);
  };

  const show = async (index) => {
    wanted = Math.min(last, Math.max(0, index));
    slider.value = String(wanted);
    slider.setAttribute("aria-valuetext", reel.captions[wanted]);
    caption.textContent = reel.captions[wanted];
    const asked = wanted;
    const [still, overlay] = await Promise.all([image("still", reel.still), image(asked, reel.overlays[asked])]);
    if (asked !== wanted) return;
    const pen = canvas.getContext("2d");
    pen.drawImage(still, 0, 0);
    pen.drawImage(overlay, 0, 0);
    canvas.dataset.step = String(reel.steps[asked]);
  };

  // Every run has a number of its own: one that was paused while a picture was decoded does not go on.
  const label = (words, isPressed) => {
    button.textContent = words;
    button.setAttribute("aria-pressed", String(isPressed));
  };

  const pause = () => {
    run += 1;
    isPlaying = false;
    label("Play", false);
  };

  const play = async () => {
    const own = (run += 1);
    isPlaying = true;
    label("Pause", true);
    if (wanted === last) await show(0);
    while (own === run && wanted < last) {
      await new Promise((resolve) => setTimeout(resolve, pace));
      if (own === run) await show(wanted + 1);
    }
    if (own === run) pause();
  };

  const seek = (index) => {
    pause();
    show(index);
  };

  button.addEventListener("click", () => (isPlaying ? pause() : play()));
  slider.addEventListener("input", () => seek(Number(slider.value)));
  // The arrows serve the slider wherever the reader is on the page; in the slider the browser moves it itself.
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.target === slider || event.target.closest(".wide")) return;
    const moves = { ArrowLeft: -1, ArrowRight: 1 };
    if (event.key in moves) {
      event.preventDefault();
      seek(wanted + moves[event.key]);
    }
  });
  slider.addEventListener("keydown", (event) => {
    if (event.key === " ") {
      event.preventDefault();
      button.click();
    }
  });
  slider.max = String(last);
  part("controls").hidden = false;
  part("figure").hidden = false;
  show(0);
})();
