// Talking to the service: answers come back as objects, everything that goes wrong as a ServiceError.

import { own, ServiceError } from "./errors.js";
import { isLocked, withKey } from "./key.js";
import { MOST } from "./topk.js";

const PATIENCE = 60_000; // ms for one picture
const SHORT_PATIENCE = 5_000; // ms to learn whether the service lives
const LARGE = 20_000_000; // bytes from which a broken-off upload is the file's fault: the service's own default limit
const TOO_MANY = 429; // from this address, in a second
const TRY_AGAIN = [401, 408, TOO_MANY, 503, 504]; // nothing is wrong with the picture
const TRIES = 6; // when the service says it is busy
const LONGEST_WAIT = 5; // s between tries, whatever the service asks for

// Where the service has this, whatever path it stands under itself.
export function address(path) {
  return new URL(path.replace(/^\//, ""), document.baseURI);
}

export async function get(path) {
  const answer = await withKey((headers) => fetch(address(path), { headers: { Accept: "application/json", ...headers } }));
  return read(answer);
}

// The Result of one picture, with the crop the model saw.
export async function classify(file, name, signal) {
  for (let left = TRIES - 1; ; ) {
    const found = await withKey((headers) => once(file, name, signal, headers, left > 0));
    if (!(found instanceof Response)) return found;
    if (isLocked(found)) return readResult(found, signal);
    if (found.status !== TOO_MANY) left -= 1; // those who wait as they are told come to their turn
    await pause(found, signal);
  }
}

// One try: the Result, or the answer of a service that wants to be asked again.
function once(file, name, signal, headers, isPatient) {
  return within(signal, PATIENCE, async (limited) => {
    const answer = await post(file, name, signal, limited, headers);
    const comesAgain = answer.status === TOO_MANY || (answer.status === 503 && isPatient) || isLocked(answer);
    return comesAgain ? answer : readResult(answer, signal);
  });
}

async function post(file, name, signal, limited, headers) {
  const form = new FormData();
  form.append("file", file, name);
  const url = address(`api/v1/classify?top_k=${MOST}&lang=both&crop=1&cached=1`);
  try {
    return await fetch(url, { method: "POST", body: form, headers, signal: limited });
  } catch (error) {
    throw brokenOff(error, signal) ?? (await whyNot(file, signal));
  }
}

// What the work gives that is handed a signal which ends when `signal` does, or after a while; nothing is left
// behind. By hand, since AbortSignal.any is younger than some browsers in use.
async function within(signal, patience, work) {
  const controller = new AbortController();
  const late = () => controller.abort(new DOMException("too late", "TimeoutError"));
  const stopped = () => controller.abort();
  const timer = setTimeout(late, patience);
  if (signal?.aborted) stopped();
  signal?.addEventListener("abort", stopped);
  try {
    return await work(controller.signal);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stopped);
  }
}

// The bytes of a picture that the service has itself.
export async function fetchPicture(url, name, signal) {
  return within(signal, PATIENCE, async (limited) => {
    const answer = await fetch(url, { signal: limited }).catch((error) => {
      throw (signal && brokenOff(error, signal)) ?? own("unreachable", {}, true);
    });
    if (!answer.ok) throw own("unexpected", { status: answer.status }, true);
    const content = await answer.blob();
    return new File([content], name, { type: content.type });
  });
}

// Stopping and the end of patience can come before the answer, and also in the middle of its body.
function brokenOff(error, signal) {
  if (signal?.aborted) return own("stopped", {}, true);
  return error.name === "TimeoutError" ? own("timeout", {}, true) : null;
}

// The browser says "failed to fetch" for all of these.
async function whyNot(file, signal) {
  try {
    await file.slice(0, 1).arrayBuffer();
  } catch {
    return own("unreadable");
  }
  const alive = await within(signal, SHORT_PATIENCE, (limited) => fetch(address("healthz"), { signal: limited })).catch(
    () => null,
  );
  if (signal.aborted) return own("stopped", {}, true);
  if (!alive) return own("unreachable", {}, true);
  return file.size > LARGE ? own("too_large") : own("broken_off", {}, true);
}

async function pause(answer, signal) {
  const seconds = Math.min(Number(answer.headers.get("Retry-After")) || 1, LONGEST_WAIT);
  await new Promise((resolve) => {
    const ended = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", ended);
      resolve();
    };
    const timer = setTimeout(ended, seconds * 1000);
    signal.addEventListener("abort", ended);
  });
}

async function readResult(answer, signal) {
  const body = await read(answer, signal);
  if (!Array.isArray(body?.predictions)) throw own("unexpected", { status: answer.status });
  return body;
}

async function read(answer, signal) {
  let body;
  try {
    body = await answer.json();
  } catch (error) {
    throw brokenOff(error, signal) ?? own("unexpected", { status: answer.status });
  }
  if (body?.error?.message) throw new ServiceError(body.error, TRY_AGAIN.includes(answer.status));
  if (!answer.ok) throw own("unexpected", { status: answer.status });
  return body;
}
