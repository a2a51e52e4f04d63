// The large preview, with the square the model will look at.

import { byId, make } from "./elements.js";
import { bytes, say } from "./language.js";
import { shareSeen } from "./model.js";
import { canBeSent, current } from "./pictures.js";

let shownUrl = null;
let readable = true;

export function openStage() {
  const preview = byId("preview");
  preview.addEventListener("load", () => {
    readable = true;
    drawStage();
  });
  preview.addEventListener("error", () => {
    readable = false;
    drawStage();
  });
}

export function drawStage() {
  const picture = current();
  const preview = byId("preview");
  if ((picture?.url ?? null) !== shownUrl) {
    shownUrl = picture?.url ?? null;
    readable = true;
    if (picture) preview.src = picture.url;
    else preview.removeAttribute("src");
  }
  byId("invite").hidden = picture !== null;
  // an image without its size yet would grow when it comes
  byId("shown").hidden = picture === null || !readable || !preview.complete || !preview.naturalWidth;
  byId("unshown").hidden = picture === null || readable;
  preview.alt = picture ? say("preview_alt", { name: picture.name }) : "";
  drawFrame(picture, preview);
  drawAbout(picture, preview);
}

function drawFrame(picture, preview) {
  const frame = byId("frame");
  const { naturalWidth: width, naturalHeight: height } = preview;
  frame.hidden = picture?.state !== "done" || !preview.complete || !width;
  if (frame.hidden) return;
  const side = Math.min(width, height) * shareSeen();
  frame.style.width = `${(100 * side) / width}%`;
  frame.style.height = `${(100 * side) / height}%`;
}

function drawAbout(picture, preview) {
  const about = byId("about");
  if (!picture) {
    about.replaceChildren(make("span", { className: "quiet", text: say("none_chosen") }));
    return;
  }
  const known = picture.pixels ?? (preview.complete && preview.naturalWidth && [preview.naturalWidth, preview.naturalHeight]);
  const facts = [known && known.join("×"), bytes(picture.size), !canBeSent(picture) && say("small_copy")];
  about.replaceChildren(
    make("strong", { text: picture.name, attributes: { title: picture.name } }),
    make("span", { className: "quiet", text: facts.filter(Boolean).join(", ") }),
  );
}
