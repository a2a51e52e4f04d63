// Answers outlive a reload: this tab keeps them, with small copies of the pictures, until it is closed.

import { byId } from "./elements.js";
import { say } from "./language.js";
import { bringBack, current, pictures } from "./pictures.js";
import { forget, recall, remember, remembered } from "./tab.js";
import { smallCopy } from "./thumbnails.js";

const NAME = "picture ";
const LOOKED_AT = "looked at";
const MOST = 2_000_000; // characters of all together: every browser gives a page more than that
const PREVIEW = 256; // pixels of a copy's longer side
const CROP = 160;
const written = new Map(); // picture's id → what was kept of it: the answer, its copies, how many characters
let isRefused = false;
let copying = Promise.resolve(); // one after another: a large picture takes much memory while it is made small
let lookedAt = null;

export function drawKept() {
  const count = Array.from(written.values()).filter((record) => record.length).length;
  const key = isRefused ? "kept_none" : count < written.size ? "kept_some" : "kept";
  byId("kept").textContent = say(key, { count });
}

export function keepAll() {
  const there = new Set(pictures.map((picture) => picture.id));
  for (const id of written.keys()) if (!there.has(id)) drop(id);
  for (const picture of pictures) {
    const answer = picture.state === "done" ? picture.result : picture.state === "failed" ? picture.error : null;
    if (answer && written.get(picture.id)?.answer !== answer) keepOne(picture, answer);
  }
  if (current()?.id !== lookedAt) {
    lookedAt = current()?.id;
    remember(LOOKED_AT, String(lookedAt));
  }
  drawKept();
}

function drop(id) {
  forget(NAME + id);
  written.delete(id);
}

// At once without copies, which take a while, so that the answer is not lost by a reload meanwhile.
function keepOne(picture, answer) {
  const before = written.get(picture.id);
  const record = { answer, preview: before?.preview ?? null, crop: null, length: 0 };
  written.set(picture.id, record);
  write(picture, record);
  copying = copying.then(async () => {
    if (written.get(picture.id) !== record) return; // it was removed, or answered again
    if (picture.sample === null) record.preview ??= await smallCopy(picture.url, PREVIEW);
    record.crop = picture.result?.crop ? ((await smallCopy(picture.result.crop, CROP))?.url ?? null) : null;
    if (written.get(picture.id) !== record) return;
    write(picture, record);
    drawKept();
  });
}

function write(picture, record) {
  const text = JSON.stringify(plain(picture, record));
  record.length = text.length;
  while (total() > MOST && dropEldest(record)); // the latest are the dearest
  while (!remember(NAME + picture.id, text)) {
    if (!dropEldest(record)) {
      record.length = 0;
      isRefused = true;
      return;
    }
  }
  isRefused = false;
}

function plain(picture, record) {
  const { id, name, size, sample, pasted, state, error } = picture;
  const result = picture.result && { ...picture.result, crop: record.crop };
  const words = error && { code: error.code, texts: error.texts, again: error.again && sample !== null };
  const { url: preview, pixels } = record.preview ?? {};
  return { id, name, size, sample, pasted, state, result, error: words, preview, pixels };
}

function total() {
  return Array.from(written.values()).reduce((sum, record) => sum + record.length, 0);
}

function dropEldest(apart) {
  for (const [id, record] of written) {
    if (record !== apart && record.length) {
      forget(NAME + id);
      record.length = 0;
      return true;
    }
  }
  return false;
}

// The pictures that were kept, in their order; what cannot be read is left out.
export function openKept() {
  isRefused = !remember(LOOKED_AT, recall(LOOKED_AT) ?? "");
  const kept = remembered(NAME).map((name) => readKept(name)).filter(Boolean);
  kept.sort((one, other) => one.picture.id - other.picture.id);
  for (const { picture, record } of kept) written.set(picture.id, record);
  const last = Number(recall(LOOKED_AT));
  bringBack(kept.map(({ picture }) => picture), last);
}

function readKept(name) {
  try {
    const text = recall(name);
    const { preview, pixels, ...kept } = JSON.parse(text);
    if (!Number.isInteger(kept.id) || !(kept.result ? Array.isArray(kept.result.predictions) : kept.error)) return null;
    const picture = { ...kept, file: null, pixels, url: kept.sample ?? preview ?? "" };
    const record = { answer: kept.state === "done" ? kept.result : kept.error, preview: preview && { url: preview, pixels } };
    return { picture, record: { ...record, crop: kept.result?.crop ?? null, length: text.length } };
  } catch {
    return null;
  }
}
