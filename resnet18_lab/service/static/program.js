// The request as a program to copy, of three kinds.

import { announce, byId, onPress, tell } from "./elements.js";
import { hasKey } from "./key.js";
import { language, say } from "./language.js";
import { current } from "./pictures.js";
import { address } from "./service.js";
import { KINDS, snippet } from "./snippets.js";
import { recall, remember } from "./tab.js";
import { topK } from "./topk.js";

const SAID = 1500; // ms that the button says so
const NAME = "program";
const STEPS = { ArrowRight: 1, ArrowLeft: -1 };
const TEXTS = { python: "program_python", javascript: "program_javascript" };
let kind = KINDS.includes(recall(NAME)) ? recall(NAME) : KINDS[0];
let timer = null;

export function drawProgram() {
  const picture = current();
  const name = picture?.file?.name ?? picture?.name.split("/").at(-1) ?? "photo.jpg";
  const url = address(`api/v1/classify?top_k=${topK()}&lang=${language()}`).href;
  const asked = { url, lang: language(), name, sample: picture?.sample ?? null, isKeyNeeded: hasKey() };
  byId("snippet").textContent = snippet(kind, asked);
  byId("program-text").textContent = explained(picture, name);
  for (const tab of tabs()) {
    const isChosen = tab.dataset.kind === kind;
    tab.setAttribute("aria-selected", String(isChosen));
    tab.tabIndex = isChosen ? 0 : -1;
    if (isChosen) byId("snippet-panel").setAttribute("aria-labelledby", tab.id);
  }
  if (timer === null) byId("copy").textContent = say("copy");
}

function explained(picture, name) {
  const curl = picture?.sample ? "program_sample" : picture?.pasted ? "program_pasted" : "program_text";
  const key = kind === "javascript" ? "program_key_page" : "program_key";
  const said = [say(TEXTS[kind] ?? curl, { name }), ...(hasKey() ? [say(key)] : [])];
  return said.join(language() === "zh" ? "" : " ");
}

function tabs() {
  return Array.from(document.querySelectorAll("[data-kind]"));
}

function choose(chosen) {
  kind = chosen;
  remember(NAME, kind);
  drawProgram();
}

// As in every row of tabs: the arrows go to the next one, and past the end to the first.
function step(event) {
  if (!(event.key in STEPS)) return;
  event.preventDefault();
  choose(KINDS.at((KINDS.indexOf(kind) + STEPS[event.key]) % KINDS.length));
  tabs()
    .find((tab) => tab.dataset.kind === kind)
    .focus();
}

async function copy() {
  const text = byId("snippet").textContent;
  const done = await navigator.clipboard?.writeText(text).then(() => true, () => false);
  const said = done || copyBySelecting() ? "copied" : "not_copied";
  if (said !== "copied") {
    tell(say(said));
    return;
  }
  announce(say(said));
  byId("copy").textContent = say(said);
  clearTimeout(timer);
  timer = setTimeout(() => {
    timer = null;
    byId("copy").textContent = say("copy");
  }, SAID);
}

// Pages that did not come over HTTPS or from this machine have no clipboard of the newer kind.
function copyBySelecting() {
  getSelection().selectAllChildren(byId("snippet"));
  return document.execCommand("copy");
}

export function openProgram() {
  onPress(byId("copy"), copy);
  for (const tab of tabs()) {
    tab.addEventListener("click", () => choose(tab.dataset.kind));
    tab.addEventListener("keydown", step);
  }
}
