// Buttons of the project's own photographs: one press shows the picture and its answer.

import { byId, make } from "./elements.js";
import { say } from "./language.js";
import { add, pictures, select } from "./pictures.js";
import { recogniseOne } from "./run.js";
import { address, fetchPicture, get } from "./service.js";
import { TEXTS } from "./texts.js";

let samples = [];
const coming = new Set(); // addresses on their way: a second press must not bring the picture twice

export async function openSamples() {
  samples = await get("api/v1/samples").catch(() => []);
  byId("samples").replaceChildren(...samples.map(button));
  drawSamples();
}

function button(sample) {
  const picture = make("img", { attributes: { alt: "", width: 64, height: 64, src: whereIs(sample) } });
  const press = make("button", { attributes: { type: "button" } }, picture);
  press.addEventListener("click", () => show(sample));
  return make("li", {}, press);
}

function whereIs(sample) {
  return address(sample.url).href;
}

export function drawSamples() {
  for (const [place, item] of Array.from(byId("samples").children).entries()) {
    const name = nameOf(place);
    item.firstChild.setAttribute("aria-label", say("sample_label", { name }));
    item.firstChild.title = name;
  }
}

// What a person sees in it, not its class: most of them teach something because the model sees something else.
function nameOf(place) {
  const file = samples[place].name.replace(/\.\w+$/, "");
  const key = `sample_${file}`;
  return Object.hasOwn(TEXTS.en, key) ? say(key) : file;
}

async function show(sample) {
  const known = pictures.find((picture) => picture.sample === whereIs(sample));
  if (known) select(known);
  const picture = known ?? (await fetched(sample));
  if (picture) await recogniseOne(picture);
}

async function fetched(sample) {
  const url = whereIs(sample);
  if (coming.has(url)) return null;
  coming.add(url);
  const empty = new File([], sample.name); // the service is gone: recognising asks again, and says so
  const file = await fetchPicture(url, sample.name).catch(() => empty);
  coming.delete(url);
  return add([file], url)[0];
}
