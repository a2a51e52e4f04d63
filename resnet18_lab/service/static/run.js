// Recognising pictures, a few at a time, with progress and a way to stop.

import { announce, tell } from "./elements.js";
import { own, ServiceError } from "./errors.js";
import { language, percent, say } from "./language.js";
import { canBeSent, changed, current, pictures, replaceFile, waiting } from "./pictures.js";
import { classify, fetchPicture } from "./service.js";
import { best } from "./topk.js";

const AT_ONCE = 3; // enough for the service to make batches of them

export const progress = { running: false, done: 0, count: 0, failed: 0 };
let stopper = null;
let queue = [];
let wanted = [];

// Everything that waits, or the picture looked at once more when nothing does.
export async function recognise() {
  const turns = waiting();
  if (!turns.length && current()) {
    if (canBeSent(current())) turns.push(current());
    else tell(say("say_no_file_left", { name: current().name }));
  }
  if (turns.length && !progress.running) await run(turns);
}

// While others are recognised the picture joins them.
export async function recogniseOne(picture) {
  if (!progress.running) {
    await run([picture]);
  } else if (picture.state !== "working" && !queue.includes(picture) && !stopper.signal.aborted) {
    queue.push(picture);
    wanted.push(picture);
    progress.count += 1;
    changed();
  }
}

export function stop() {
  stopper?.abort();
}

async function run(turns) {
  stopper = new AbortController();
  Object.assign(progress, { running: true, done: 0, count: turns.length, failed: 0 });
  wanted = [...turns];
  queue = [...turns];
  await Promise.all(Array.from({ length: AT_ONCE }, () => work(stopper.signal)));
  progress.running = false;
  changed();
  report(stopper.signal.aborted);
}

async function work(signal) {
  while (queue.length && !signal.aborted) {
    const picture = queue.shift();
    if (!pictures.includes(picture)) {
      progress.count -= 1; // it was removed meanwhile
      continue;
    }
    await one(picture, signal);
  }
}

async function one(picture, signal) {
  const before = { state: picture.state, result: picture.result, error: picture.error };
  picture.state = "working";
  changed();
  try {
    if (picture.sample && !picture.file?.size) replaceFile(picture, await fetchPicture(picture.sample, picture.name, signal));
    picture.result = await classify(picture.file, picture.name, signal);
    picture.error = null;
    picture.state = "done";
  } catch (error) {
    const known = error instanceof ServiceError ? error : own("unexpected", { status: "?" });
    if (known.code === "stopped") {
      Object.assign(picture, before); // what was known stays known
      changed();
      return;
    }
    Object.assign(picture, { state: "failed", result: null, error: known });
    progress.failed += 1;
  }
  progress.done += 1;
  changed();
}

function report(stopped) {
  if (stopped) announce(say("say_stopped", progress));
  else if (wanted.length > 1) announce(say("say_done", progress));
  else reportOne(wanted[0]);
}

function reportOne(picture) {
  const { name } = picture;
  if (picture.state === "done") announce(say("say_answer", { name, answers: spoken(picture) }));
  else announce(say("say_error", { name, message: picture.error.texts[language()] }));
}

function spoken(picture) {
  return best(picture.result).map((one) => `${one[language()]} ${percent(one.score)}`).join("; ");
}
