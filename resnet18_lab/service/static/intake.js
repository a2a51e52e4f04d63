// Ways in for a picture: the file dialog, dropping on the page, and pasting.

import { announce, byId, onPress } from "./elements.js";
import { say } from "./language.js";
import { add } from "./pictures.js";

let pasted = 0;

function take(files) {
  const list = Array.from(files);
  if (!list.length) {
    announce(say("say_no_files"));
    return;
  }
  add(list);
  announce(list.length === 1 ? say("say_chosen", { name: list[0].name }) : say("say_added", { count: list.length }));
}

function dialog() {
  const input = byId("file");
  onPress(byId("choose"), () => input.click());
  byId("stage").addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    if (input.files.length) take(input.files); // empty when the dialog was cancelled
    input.value = ""; // so that the same file can be chosen again
  });
}

function dropping() {
  let inside = 0; // dragenter and dragleave come for every element on the way
  const light = (on) => document.body.classList.toggle("dragging", on);
  addEventListener("dragenter", (event) => {
    event.preventDefault();
    inside += 1;
    light(true);
  });
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("dragleave", () => {
    inside -= 1;
    if (inside <= 0) light(false);
  });
  addEventListener("drop", (event) => {
    event.preventDefault(); // or the browser would leave the page for the picture
    inside = 0;
    light(false);
    take(event.dataTransfer.files);
  });
}

function pasting() {
  addEventListener("paste", (event) => {
    const files = Array.from(event.clipboardData.files, (file) => {
      if (file.name !== "image.png") return file;
      pasted += 1; // every pasted screenshot has this name
      return new File([file], `pasted-${pasted}.png`, { type: file.type });
    });
    take(files);
  });
}

export function openIntake() {
  dialog();
  dropping();
  pasting();
}
