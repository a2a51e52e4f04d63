// Recognising pictures, a few at a time, with progress and a way to stop.

import { announce } from "./elements.js";
import { language, percent, say } from "./language.js";
import { changed, current, pictures, waiting } from "./pictures.js";
import { classify, own, ServiceError } from "./service.js";

const AT_ONCE = 3; // enough for the service to make batches of them

export const progress = { running: false, done: 0, count: 0, failed: 0 };
let stopper = null;

// Everything that waits, or the picture looked at once more when nothing does.
export async function recognise() {
  if (progress.running) return;
  const wanted = waiting();
  if (!wanted.length && current()) wanted.push(current());
  if (!wanted.length) {
    announce(say("say_choose_first"));
    return;
  }
  await run(wanted);
}

export async function recogniseOne(picture) {
  if (!progress.running) await run([picture]);
}

export function stop() {
  stopper?.abort();
}

async function run(wanted) {
  stopper = new AbortController();
  Object.assign(progress, { running: true, done: 0, count: wanted.length, failed: 0 });
  const queue = [...wanted];
  const workers = Array.from({ length: Math.min(AT_ONCE, queue.length) }, () => work(queue, stopper.signal));
  await Promise.all(workers);
  progress.running = false;
  changed();
  report(wanted, stopper.signal.aborted);
}

async function work(queue, signal) {
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
  picture.state = "working";
  changed();
  try {
    picture.result = await classify(picture.file, picture.name, signal);
    picture.error = null;
    picture.state = "done";
  } catch (error) {
    picture.result = null;
    picture.error = error instanceof ServiceError ? error : own("unexpected", { status: "?" });
    picture.state = picture.error.code === "stopped" ? "ready" : "failed";
    if (picture.state === "failed") progress.failed += 1;
  }
  if (picture.state !== "ready") progress.done += 1;
  changed();
}

function report(wanted, stopped) {
  if (stopped) announce(say("say_stopped", progress));
  else if (wanted.length > 1) announce(say("say_done", progress));
  else if (wanted[0].state === "done") announce(say("say_answer", { name: wanted[0].name, answers: spoken(wanted[0]) }));
  else announce(say("say_error", { name: wanted[0].name, message: wanted[0].error.texts[language()] }));
}

function spoken(picture) {
  return picture.result.predictions.map((best) => `${best[language()]} ${percent(best.score)}`).join("; ");
}
