// Puts the parts together: each draws itself again when the list or the language changes.

import { drawAnswer } from "./answer.js";
import { drawCommand, openCommand } from "./curl.js";
import { byId, onPress } from "./elements.js";
import { openExport } from "./export.js";
import { openIntake } from "./intake.js";
import { applyLanguage, onLanguage, say, setLanguage } from "./language.js";
import { drawList, openList } from "./list.js";
import { onPictures } from "./pictures.js";
import { recognise, stop } from "./run.js";
import { drawSamples, openSamples } from "./samples.js";
import { get } from "./service.js";
import { drawStage, openStage } from "./stage.js";

const LONGEST_BLANK = 300; // ms that the page waits for the line about the model before it is shown

let model; // undefined until asked, null when there was no answer

function draw() {
  drawStage();
  drawAnswer();
  drawList();
  drawCommand();
}

function drawModel() {
  const line = byId("model");
  const untrained = model?.engine?.weights === "untrained";
  line.classList.toggle("untrained", untrained);
  if (model === undefined) line.textContent = "";
  else if (model === null) line.textContent = say("model_unknown");
  else line.textContent = (untrained ? `${say("model_untrained")} ` : "") + say("model_is", model.engine);
}

async function askModel() {
  model = await get("api/v1/model").catch(() => null);
  drawModel();
}

openStage();
openIntake();
openList();
openExport();
openCommand();
onPress(byId("recognise"), recognise);
onPress(byId("stop"), stop);
for (const button of document.querySelectorAll("[data-language]")) {
  button.addEventListener("click", () => setLanguage(button.dataset.language));
}
onPictures(draw);
onLanguage(() => {
  draw();
  drawSamples();
  drawModel();
});
applyLanguage();
openSamples();
await Promise.race([askModel(), new Promise((resolve) => setTimeout(resolve, LONGEST_BLANK))]);
document.documentElement.dataset.ready = ""; // shown now: Chinese for English and the line about the model would jump
