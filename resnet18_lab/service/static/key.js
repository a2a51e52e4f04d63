// The key of a service that answers only with one: asked for once, kept in this tab, sent with every request.

import { byId, onPress } from "./elements.js";
import { say } from "./language.js";
import { forget, recall, remember } from "./tab.js";

const NAME = "key";
const UNAUTHORIZED = 401;
const SENDABLE = /^[\x21-\x7e]+$/; // anything else cannot stand in a header, so that no service can know it
const listeners = [];
let key = recall(NAME);
let asking = null; // all who wait for a key wait for the same answer

export function hasKey() {
  return key !== null;
}

export function onKey(listener) {
  listeners.push(listener);
}

// What `send` gives for these headers; it is called again with another key when the service refuses this one.
export async function withKey(send) {
  for (;;) {
    const used = key;
    const answer = await send(used === null ? {} : { Authorization: `Bearer ${used}` });
    if (answer.status !== UNAUTHORIZED || !(await another(used))) return answer;
  }
}

export function isLocked(answer) {
  return answer.status === UNAUTHORIZED;
}

// Whether there is another key than the refused one, after asking for it.
async function another(refused) {
  if (key !== refused) return key !== null;
  asking ??= ask(refused === null ? "key_wanted" : "key_wrong").finally(() => {
    asking = null;
  });
  return asking;
}

function ask(reason) {
  const dialog = byId("key-dialog");
  const input = byId("key");
  const problem = byId("key-problem");
  input.value = "";
  dialog.returnValue = ""; // the Escape key leaves the last one
  problem.textContent = say(reason);
  problem.className = reason === "key_wrong" ? "problem" : "quiet";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "given"), { once: true });
  });
}

function take(event) {
  event.preventDefault();
  const given = byId("key").value.trim();
  if (!SENDABLE.test(given)) {
    byId("key-problem").textContent = say("key_wrong");
    byId("key-problem").className = "problem";
    return;
  }
  set(given);
  byId("key").value = "";
  byId("key-dialog").close("given");
}

function set(chosen) {
  key = chosen;
  if (chosen === null) forget(NAME);
  else remember(NAME, chosen);
  for (const listener of listeners) listener();
}

export function openKey(again) {
  byId("key-form").addEventListener("submit", take);
  onPress(byId("key-later"), () => byId("key-dialog").close(""));
  onPress(byId("key-enter"), again);
  onPress(byId("key-forget"), () => set(null));
}
