// The list of all pictures with their answers or errors, the progress bar, and the tools above it.

import { announce, byId, make, onPress, setEnabled } from "./elements.js";
import { language, percent, say } from "./language.js";
import { clear, current, pictures, remove, select, waiting } from "./pictures.js";
import { progress } from "./run.js";
import { best, topK } from "./topk.js";

const rows = new Map(); // picture's id → its parts, so that focus and scrolling survive redrawing

export function drawList() {
  byId("count").textContent = pictures.length;
  byId("list-empty").hidden = pictures.length > 0;
  const ids = new Set(pictures.map((picture) => picture.id));
  for (const [id, row] of rows) {
    if (!ids.has(id)) {
      row.item.remove();
      rows.delete(id);
    }
  }
  for (const picture of pictures) {
    if (!rows.has(picture.id)) rows.set(picture.id, newRow(picture));
    drawRow(picture, rows.get(picture.id));
  }
  drawProgress();
  drawTools();
}

function newRow(picture) {
  const image = make("img", { attributes: { alt: "", width: 44, height: 44, loading: "lazy", decoding: "async" } });
  const thumb = make("span", { className: "thumb" }, image);
  image.addEventListener("error", () => thumb.classList.add("broken"));
  image.addEventListener("load", () => thumb.classList.remove("broken"));
  const name = make("span", { className: "file", text: picture.name });
  const answer = make("span", { className: "brief" });
  const score = make("span", { className: "score" });
  const rest = make("div", { className: "rest" }); // for paper, where nothing can be pressed
  const show = make("button", { className: "show", attributes: { type: "button" } }, thumb, name, answer, score);
  const drop = make("button", { className: "remove", text: "×", attributes: { type: "button" } });
  const item = make("li", {}, show, drop, rest);
  show.addEventListener("click", () => select(picture));
  drop.addEventListener("click", () => removeRow(picture, item));
  byId("list").append(item);
  return { item, image, show, answer, score, drop, rest, drawn: null };
}

function removeRow(picture, item) {
  const near = item.nextElementSibling ?? item.previousElementSibling;
  (near?.querySelector(".remove") ?? byId("choose")).focus();
  remove(picture);
  announce(say("say_removed", { name: picture.name }));
}

function drawRow(picture, row) {
  const now = [picture.state, picture === current(), language(), picture.url, picture.result, picture.error, topK()];
  if (row.drawn?.every((value, place) => value === now[place])) return; // of hundreds of rows one has changed
  if (row.drawn?.[3] !== picture.url) row.image.src = picture.sample ?? picture.url;
  row.drawn = now;
  fillRow(picture, row);
}

function fillRow(picture, { item, show, answer, score, drop, rest }) {
  const [first, ...others] = picture.state === "done" ? best(picture.result) : [];
  item.className = picture.state;
  show.setAttribute("aria-current", String(picture === current()));
  drop.setAttribute("aria-label", say("remove", { name: picture.name }));
  score.textContent = first ? percent(first.score) : "";
  rest.replaceChildren(...others.map((one) => make("div", { text: `${one[language()]} ${percent(one.score)}` })));
  if (first) answer.textContent = doubted(picture.result, first[language()]);
  else answer.textContent = picture.state === "failed" ? picture.error.texts[language()] : say(picture.state);
  answer.title = answer.textContent; // a long one is cut
}

// A name with what speaks against it: a rule's objection before the model's own.
function doubted({ rejected, unknown }, name) {
  if (rejected) return say("rejected_but", { name });
  return unknown ? say("unknown_but", { name }) : name;
}

function drawProgress() {
  const bar = byId("progress");
  byId("progress-row").classList.toggle("unused", progress.count === 0);
  bar.max = Math.max(progress.count, 1);
  bar.value = progress.done;
  byId("progress-text").textContent = `${progress.done}/${progress.count}`;
  setEnabled(byId("stop"), progress.running);
}

function drawTools() {
  const answered = pictures.some((picture) => picture.state === "done" || picture.state === "failed");
  setEnabled(byId("csv"), answered);
  setEnabled(byId("json"), answered);
  setEnabled(byId("clear"), pictures.length > 0 && !progress.running);
  const recognise = byId("recognise");
  const waits = waiting().length;
  setEnabled(recognise, pictures.length > 0 && !progress.running);
  recognise.classList.toggle("working", progress.running);
  const key = progress.running ? "recognising" : waits > 1 ? "recognise_all" : "recognise";
  recognise.lastElementChild.textContent = say(key, { count: waits });
}

export function openList() {
  onPress(byId("clear"), () => {
    clear();
    Object.assign(progress, { done: 0, count: 0, failed: 0 });
    drawList();
    announce(say("say_cleared"));
  });
}

