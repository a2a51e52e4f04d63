// The line about the model that answers, and the buttons for the key where one is wanted.

import { byId } from "./elements.js";
import { hasKey } from "./key.js";
import { say } from "./language.js";
import { get } from "./service.js";

let model; // undefined until asked, null when there was no answer
let isLocked = false;

// False only when the service was asked in vain.
export function isModelKnown() {
  return model !== null;
}

export async function askModel() {
  isLocked = false;
  model = await get("api/v1/model").catch((error) => {
    isLocked = error.code === "unauthorized";
    return null;
  });
  drawModel();
}

export function drawModel() {
  const line = byId("model");
  const untrained = model?.engine?.weights === "untrained";
  line.classList.toggle("untrained", untrained);
  byId("key-enter").hidden = !isLocked;
  byId("key-forget").hidden = isLocked || !hasKey();
  if (model === undefined) line.textContent = "";
  else if (model === null) line.textContent = say(isLocked ? "model_locked" : "model_unknown");
  else line.textContent = (untrained ? `${say("model_untrained")} ` : "") + say("model_is", model.engine);
}
