// The list of pictures and which one is looked at. States: ready, working, done, failed.

const listeners = [];
let next = 1;
let selected = null;

export const pictures = [];

export function onPictures(listener) {
  listeners.push(listener);
}

export function changed() {
  for (const listener of listeners) listener();
}

export function add(files, sample = null) {
  const added = Array.from(files, (file) => ({
    id: next++,
    file,
    name: file.shownAs ?? file.name,
    size: file.size,
    sample,
    pasted: file.pasted === true,
    url: URL.createObjectURL(file),
    state: "ready",
    result: null,
    error: null,
  }));
  pictures.push(...added);
  if (added.length) selected = added[0];
  changed();
  return added;
}

// Pictures of before the page was loaded again, whole objects with their ids.
export function bringBack(kept, lookedAt) {
  if (!kept.length) return;
  pictures.push(...kept);
  next = Math.max(...kept.map((picture) => picture.id)) + 1;
  selected = kept.find((picture) => picture.id === lookedAt) ?? kept[0];
  changed();
}

// Another content under the same name: a sample that could not be had at first, or not any more.
export function replaceFile(picture, file) {
  URL.revokeObjectURL(picture.url);
  picture.file = file;
  picture.size = file.size;
  picture.url = URL.createObjectURL(file);
  changed();
}

export function select(picture) {
  selected = picture;
  changed();
}

export function current() {
  return selected;
}

// Pictures whose turn is still to come: new ones, and those that failed for no fault of their own.
export function waiting() {
  return pictures.filter((picture) => picture.state === "ready" || (picture.state === "failed" && picture.error.again));
}

// Whether there is something to send: after a reload only an answer and a small copy are left of a file.
export function canBeSent(picture) {
  return picture.sample !== null || picture.file !== null;
}

export function remove(picture) {
  const place = pictures.indexOf(picture);
  if (place < 0) return;
  pictures.splice(place, 1);
  URL.revokeObjectURL(picture.url);
  if (selected === picture) selected = pictures[Math.min(place, pictures.length - 1)] ?? null;
  changed();
}

export function clear() {
  for (const picture of pictures) URL.revokeObjectURL(picture.url);
  pictures.length = 0;
  selected = null;
  changed();
}
