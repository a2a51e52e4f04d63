// Ways in for a picture: the file and folder dialogs, dropping on the page, and pasting.

import { announce, byId, onPress, tell } from "./elements.js";
import { filesOfEntries, filesOfFolder, MOST } from "./folders.js";
import { language, say } from "./language.js";
import { fileOf, isElsewhere, linkIn } from "./links.js";
import { add, pictures, select } from "./pictures.js";

let pasted = 0;

export function take(files, sample = null) {
  const list = Array.from(files);
  if (!list.length) {
    tell(say("say_no_files"));
    return;
  }
  const [first] = add(list, sample);
  announce(list.length === 1 ? say("say_chosen", { name: first.name }) : say("say_added", { count: list.length }));
}

// What was found in folders, and what was left out of it.
function takeFound({ files, hidden, others, unread, isCut }) {
  if (files.length) add(files);
  const said = [files.length ? say("say_folder", { count: files.length }) : say("say_no_files")];
  if (hidden) said.push(say("say_hidden", { hidden }));
  if (others) said.push(say("say_others", { others }));
  if (unread) said.push(say("say_unread", { unread }));
  if (isCut) said.push(say("say_most", { most: MOST }));
  tell(said.join(language() === "zh" ? "" : " "));
}

function dialogs() {
  const input = byId("file");
  const folder = byId("folder-file");
  onPress(byId("choose"), () => input.click());
  byId("stage").addEventListener("click", () => input.click());
  onPress(byId("folder"), () => folder.click());
  input.addEventListener("change", () => {
    if (input.files.length) take(input.files); // empty when the dialog was cancelled
    input.value = ""; // so that the same file can be chosen again
  });
  folder.addEventListener("change", () => {
    if (folder.files.length) takeFound(filesOfFolder(folder.files));
    folder.value = "";
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
    takeTransfer(event.dataTransfer);
  });
}

// All is read from it at once: after the event it is empty.
function takeTransfer(transfer) {
  const entries = Array.from(transfer.items ?? [], (item) => item.kind === "file" && item.webkitGetAsEntry?.());
  const files = Array.from(transfer.files, nameOfItsOwn);
  const link = linkIn(transfer);
  if (entries.some((entry) => entry?.isDirectory)) filesOfEntries(entries.filter(Boolean)).then(takeFound);
  else if (files.length || !link) take(files);
  else takeLink(link);
}

async function takeLink(link) {
  const known = pictures.find((picture) => picture.url === link.href || picture.sample === link.href);
  if (isElsewhere(link)) tell(say("say_elsewhere", { host: link.host }));
  else if (known) select(known);
  else {
    const file = await fileOf(link);
    take(file ? [file] : [], link.protocol === "data:" ? null : link.href);
  }
}

// Every pasted screenshot is called the same.
function nameOfItsOwn(file) {
  if (file.name !== "image.png") return file;
  pasted += 1;
  const own = new File([file], `pasted-${pasted}.png`, { type: file.type });
  own.pasted = true; // it lies on no disk
  return own;
}

export function openIntake() {
  dialogs();
  dropping();
  addEventListener("paste", (event) => {
    if (!(event.target instanceof HTMLInputElement)) takeTransfer(event.clipboardData);
  });
}
