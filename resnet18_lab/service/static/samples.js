// Buttons of the project's own photographs: one press shows the picture and its answer.

import { byId, make } from "./elements.js";
import { language, say } from "./language.js";
import { add, pictures, select } from "./pictures.js";
import { recogniseOne } from "./run.js";
import { address, get } from "./service.js";

let samples = [];

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
  return address(sample.url.replace(/^\//, "")).href;
}

export function drawSamples() {
  for (const [place, item] of Array.from(byId("samples").children).entries()) {
    const name = nameOf(place);
    item.firstChild.setAttribute("aria-label", say("sample_label", { name }));
    item.firstChild.title = name;
  }
}

// A name of its own for each button: the class, or the file where there is none or two show the same.
function nameOf(place) {
  const { name, [language()]: label } = samples[place];
  const file = name.replace(/\.\w+$/, "");
  const again = samples.findIndex((sample) => sample[language()] === label) < place;
  return label && !again ? label : [label, file].filter(Boolean).join(", ");
}

async function show(sample) {
  const known = pictures.find((picture) => picture.sample === whereIs(sample));
  if (known) select(known);
  const picture = known ?? (await fetched(sample));
  if (picture) await recogniseOne(picture);
}

async function fetched(sample) {
  const file = await fetch(whereIs(sample))
    .then((answer) => (answer.ok ? answer.blob() : Promise.reject(answer.status)))
    .catch(() => new Blob([])); // the service is gone: recognising says so
  return add([new File([file], sample.name, { type: file.type })], whereIs(sample))[0];
}
