// The list of all classes: a link, which can send no key, so that with one the list comes as a file.

import { byId, tell } from "./elements.js";
import { download } from "./export.js";
import { hasKey } from "./key.js";
import { language, say } from "./language.js";
import { get } from "./service.js";

async function fetchClasses() {
  try {
    download("resnet18-labels.json", "application/json", `${JSON.stringify(await get("api/v1/labels"), null, 1)}\n`);
  } catch (error) {
    tell(error.texts?.[language()] ?? say("error_unreachable"));
  }
}

export function openClasses() {
  byId("classes").addEventListener("click", (event) => {
    if (!hasKey()) return;
    event.preventDefault();
    fetchClasses();
  });
}
