// The line about the model that answers, and the buttons for the key where one is wanted.

import { byId } from "./elements.js";
import { hasKey } from "./key.js";
import { know, say } from "./language.js";
import { get } from "./service.js";

let model; // undefined until asked, null when there was no answer
let isLocked = false;

// False only when the service was asked in vain.
export function isModelKnown() {
  return model !== null;
}

// The side of the square that the model looks at, as a share of the picture's short side.
export function shareSeen() {
  const { crop, resize } = model?.network ?? { crop: 224, resize: 256 };
  return crop / resize;
}

export async function askModel() {
  isLocked = false;
  model = await get("api/v1/model").catch((error) => {
    isLocked = error.code === "unauthorized";
    return null;
  });
  if (model) know({ classes: model.network.classes });
  drawModel();
}

export function drawModel() {
  const line = byId("model");
  const untrained = /(^|-)untrained$/.test(model?.engine?.weights ?? "");
  line.classList.toggle("untrained", untrained);
  byId("key-enter").hidden = !isLocked;
  byId("key-forget").hidden = isLocked || !hasKey();
  byId("note").textContent = say(model?.network?.tells_unknown ? "note_unknown" : "note");
  byId("classes").textContent = say("classes");
  if (model === undefined) line.textContent = "";
  else if (model === null) line.textContent = say(isLocked ? "model_locked" : "model_unknown");
  else line.textContent = (untrained ? `${say("model_untrained")} ` : "") + say("model_is", { network: model.network.title, ...model.engine });
}
