// Ways in for a picture: the file dialog, dropping on the page, and pasting.

import { announce, byId, onPress, tell } from "./elements.js";
import { say } from "./language.js";
import { add } from "./pictures.js";

let pasted = 0;

function take(files, folders = 0) {
  const list = Array.from(files);
  if (folders) tell(say("say_folders"));
  else if (!list.length) tell(say("say_no_files"));
  if (!list.length) return;
  add(list);
  if (folders) return; // what is wrong is said before what is right
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
    take(...withoutFolders(event.dataTransfer));
  });
}

// A folder comes as a file that nobody can read.
function withoutFolders(transfer) {
  const items = Array.from(transfer.items ?? []).filter((item) => item.kind === "file");
  const isFolder = items.map((item) => item.webkitGetAsEntry?.()?.isDirectory === true);
  const files = Array.from(transfer.files).filter((_, place) => !isFolder[place]);
  return [files, isFolder.filter(Boolean).length];
}

function pasting() {
  addEventListener("paste", (event) => {
    const files = Array.from(event.clipboardData.files, (file) => {
      if (file.name !== "image.png") return file;
      pasted += 1; // every pasted screenshot has this name
      const own = new File([file], `pasted-${pasted}.png`, { type: file.type });
      own.pasted = true; // it lies on no disk
      return own;
    });
    take(files);
  });
}

export function openIntake() {
  dialog();
  dropping();
  pasting();
}
