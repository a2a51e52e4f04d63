// The request as a curl command that can be pasted into a shell.

import { announce, byId, onPress, tell } from "./elements.js";
import { language, say } from "./language.js";
import { current } from "./pictures.js";
import { address } from "./service.js";

const SAID = 1500; // ms that the button says so
let timer = null;

export function curlFor(name, lang, sample = null) {
  const url = address(`api/v1/classify?top_k=3&lang=${lang}`).href;
  if (sample) return `curl -sS "${sample}" | curl -sS -F "file=@-;filename=${name}" "${url}"`; // it is on no disk of yours
  // Double quotes are understood by every shell, Windows' too; odd names need those of POSIX shells.
  if (/^[\p{L}\p{N} _.()+-]+$/u.test(name)) return `curl -sS -F "file=@${name}" "${url}"`;
  const inner = name.replaceAll("\\", "\\\\").replaceAll('"', '\\"');
  return `curl -sS -F 'file=@"${inner.replaceAll("'", "'\\''")}"' '${url}'`;
}

export function drawCommand() {
  const picture = current();
  byId("curl").textContent = curlFor(picture?.name ?? "photo.jpg", language(), picture?.sample);
  byId("program-text").textContent = say(picture?.pasted ? "program_pasted" : "program_text", { name: picture?.name });
  if (timer === null) byId("copy").textContent = say("copy_curl");
}

async function copy() {
  const text = byId("curl").textContent;
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
