// All answers as a file: the columns and objects are those of the command line.

import { announce, byId, make, onPress } from "./elements.js";
import { say } from "./language.js";
import { pictures } from "./pictures.js";

const COLUMNS = ["file", "rank", "index", "wnid", "en", "zh", "score", "warnings", "error", "message", "backend", "weights", "artifact_sha256"];
const PAGE_ONLY = ["crop"]; // for the eyes, not for programs

export function asJson(list) {
  const objects = answered(list).map((picture) => {
    if (picture.state === "failed") return { file: picture.name, error: plain(picture.error) };
    const kept = Object.entries(picture.result).filter(([key]) => !PAGE_ONLY.includes(key));
    return { ...Object.fromEntries(kept), file: picture.name };
  });
  return `${JSON.stringify(objects, null, 1)}\n`;
}

export function asCsv(list) {
  const lines = answered(list).flatMap((picture) => rows(picture));
  return [COLUMNS, ...lines.map((row) => COLUMNS.map((column) => row[column] ?? ""))]
    .map((cells) => cells.map(cell).join(","))
    .join("\r\n")
    .concat("\r\n");
}

function answered(list) {
  return list.filter((picture) => picture.state === "done" || picture.state === "failed");
}

function plain({ code, texts }) {
  return { code, message: texts.en, message_zh: texts.zh };
}

function rows(picture) {
  const file = safe(picture.name);
  if (picture.state === "failed") {
    const { code, texts } = picture.error;
    return [{ file, error: code, message: `${texts.en} ${texts.zh}` }];
  }
  const { predictions, warnings, engine } = picture.result;
  const rest = { file, warnings: warnings.join(";"), backend: engine?.backend, weights: engine?.weights, artifact_sha256: engine?.sha256 };
  return predictions.map((best) => ({ ...best, ...rest, score: best.score.toFixed(6) }));
}

// A spreadsheet would run such a name as a formula.
function safe(name) {
  return /^[=+\-@\t\r]/.test(name) ? `'${name}` : name;
}

function cell(value) {
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function download(name, type, ...parts) {
  const url = URL.createObjectURL(new Blob(parts, { type }));
  make("a", { attributes: { href: url, download: name } }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
  announce(say("say_exported", { name }));
}

export function openExport() {
  const mark = "\ufeff"; // without it spreadsheets take the Chinese names for another encoding
  onPress(byId("csv"), () => download("resnet18-lab.csv", "text/csv", mark, asCsv(pictures)));
  onPress(byId("json"), () => download("resnet18-lab.json", "application/json", asJson(pictures)));
}
