// The request as a curl command that can be pasted into a shell.

import { announce, byId, onPress } from "./elements.js";
import { language, say } from "./language.js";
import { current } from "./pictures.js";
import { address } from "./service.js";

const SAID = 1500; // ms that the button says so
let timer = null;

export function curlFor(name, lang) {
  const url = address(`api/v1/classify?top_k=3&lang=${lang}`).href;
  // Double quotes are understood by every shell, Windows' too; odd names need those of POSIX shells.
  if (/^[\p{L}\p{N} _.()+-]+$/u.test(name)) return `curl -sS -F "file=@${name}" "${url}"`;
  const inner = name.replaceAll("\\", "\\\\").replaceAll('"', '\\"');
  return `curl -sS -F 'file=@"${inner.replaceAll("'", "'\\''")}"' '${url}'`;
}

export function drawCommand() {
  byId("curl").textContent = curlFor(current()?.name ?? "photo.jpg", language());
  if (timer === null) byId("copy").textContent = say("copy_curl");
}

async function copy() {
  const text = byId("curl").textContent;
  const done = await navigator.clipboard?.writeText(text).then(() => true, () => false);
  const said = done || copyBySelecting() ? "copied" : "not_copied";
  announce(say(said));
  if (said !== "copied") return;
  byId("copy").textContent = say(said);
  clearTimeout(timer);
  timer = setTimeout(() => {
    timer = null;
    byId("copy").textContent = say("copy_curl");
  }, SAID);
}

// Pages that did not come over HTTPS or from this machine have no clipboard of the newer kind.
function copyBySelecting() {
  getSelection().selectAllChildren(byId("curl"));
  return document.execCommand("copy");
}

export function openCommand() {
  onPress(byId("copy"), copy);
}
