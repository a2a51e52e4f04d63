// Puts the parts together: each draws itself again when the list or the language changes.

import { drawAnswer } from "./answer.js";
import { openCamera } from "./camera.js";
import { openClasses } from "./classes.js";
import { byId, onPress } from "./elements.js";
import { openExport } from "./export.js";
import { openIntake } from "./intake.js";
import { drawKept, keepAll, openKept } from "./keep.js";
import { hasKey, onKey, openKey } from "./key.js";
import { applyLanguage, onLanguage, setLanguage } from "./language.js";
import { drawList, openList } from "./list.js";
import { askModel, drawModel, isModelKnown } from "./model.js";
import { onPictures } from "./pictures.js";
import { drawProgram, openProgram } from "./program.js";
import { recognise, stop } from "./run.js";
import { drawSamples, openSamples } from "./samples.js";
import { drawStage, openStage } from "./stage.js";
import { openTopK } from "./topk.js";

const LONGEST_BLANK = 300; // ms that the page waits for the line about the model before it is shown

function draw() {
  drawStage();
  drawAnswer();
  drawList();
  drawProgram();
}

function askAgain() {
  return Promise.all([askModel(), openSamples()]);
}

openStage();
openIntake();
openCamera();
openList();
openExport();
openProgram();
openClasses();
openTopK(draw);
openKey(askAgain);
onPress(byId("recognise"), recognise);
onPress(byId("stop"), stop);
for (const button of document.querySelectorAll("[data-language]")) {
  button.addEventListener("click", () => setLanguage(button.dataset.language));
}
onPictures(draw);
onPictures(keepAll);
onLanguage(() => {
  draw();
  drawKept();
  drawSamples();
  drawModel();
});
onKey(() => {
  drawProgram();
  drawModel();
  if (hasKey() && !isModelKnown()) askAgain();
});
openKept();
applyLanguage();
await Promise.race([askAgain(), new Promise((resolve) => setTimeout(resolve, LONGEST_BLANK))]);
document.documentElement.dataset.ready = ""; // shown now: Chinese for English and the line about the model would jump
