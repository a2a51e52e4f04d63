// How many answers a picture has on the page: chosen here, kept in this tab.

import { byId, make } from "./elements.js";
import { recall, remember } from "./tab.js";

export const MOST = 10; // that many are asked for, so that the choice needs no second request
const USUAL = 3;
const NAME = "answers";
let chosen = first();

function first() {
  const kept = Number(recall(NAME));
  return Number.isInteger(kept) && kept >= 1 && kept <= MOST ? kept : USUAL;
}

export function topK() {
  return chosen;
}

// The answers to show.
export function best(result) {
  return result.predictions.slice(0, chosen);
}

export function openTopK(changed) {
  const select = byId("top-k");
  const numbers = Array.from({ length: MOST }, (_, place) => make("option", { text: place + 1 }));
  select.replaceChildren(...numbers);
  select.value = chosen;
  select.addEventListener("change", () => {
    chosen = Number(select.value);
    remember(NAME, String(chosen));
    changed();
  });
}
