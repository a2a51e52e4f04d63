// Taking a photo: the camera runs while its window is open, and the photo is a picture like any other.

import { byId, onPress, setEnabled } from "./elements.js";
import { take } from "./intake.js";
import { say } from "./language.js";

const QUALITY = 0.92;
const REASONS = {
  NotAllowedError: "camera_refused",
  SecurityError: "camera_refused",
  NotFoundError: "camera_none",
  OverconstrainedError: "camera_none",
};
let stream = null;
let turn = 0; // the browser may answer when the window has been closed, and opened again
let taken = 0;

async function start() {
  turn += 1;
  const own = turn;
  showProblem("");
  byId("camera-dialog").showModal();
  try {
    const found = await ask();
    if (own !== turn) {
      end(found);
      return;
    }
    stream = found;
    stream.getVideoTracks()[0].addEventListener("ended", () => showProblem("camera_busy"));
    byId("viewfinder").srcObject = stream;
    await byId("viewfinder").play();
    setEnabled(byId("shoot"), true);
  } catch (error) {
    if (own === turn) showProblem(typeof error === "string" ? error : (REASONS[error.name] ?? "camera_busy"));
  }
}

async function ask() {
  if (!isSecureContext) throw "camera_insecure"; // browsers have no camera for such pages
  if (!navigator.mediaDevices?.getUserMedia) throw "camera_none";
  return navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 1280 } } });
}

function showProblem(key) {
  const problem = byId("camera-problem");
  problem.hidden = !key;
  problem.textContent = key ? say(key) : "";
  byId("camera-waits").hidden = Boolean(key);
  byId("viewfinder").hidden = Boolean(key);
  setEnabled(byId("shoot"), false);
}

async function shoot() {
  const { videoWidth: width, videoHeight: height } = byId("viewfinder");
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height });
  canvas.getContext("2d").drawImage(byId("viewfinder"), 0, 0);
  const photo = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
  taken += 1;
  const file = new File([photo], `camera-${taken}.jpg`, { type: "image/jpeg" });
  file.pasted = true; // it lies on no disk
  byId("camera-dialog").close();
  take([file]);
}

function end(ended) {
  for (const track of ended?.getTracks() ?? []) track.stop();
}

function close() {
  turn += 1;
  end(stream);
  stream = null;
  byId("viewfinder").srcObject = null;
}

export function openCamera() {
  onPress(byId("camera"), start);
  onPress(byId("shoot"), shoot);
  onPress(byId("camera-close"), () => byId("camera-dialog").close());
  byId("camera-dialog").addEventListener("close", close); // the Escape key closes it, too
}
