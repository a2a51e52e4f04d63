// All answers as a file: the columns and objects are those of the command line.

import { announce, byId, make, onPress } from "./elements.js";
import { say } from "./language.js";
import { pictures } from "./pictures.js";
import { best } from "./topk.js";

const ANSWER = ["index", "wnid", "en", "zh", "score"];
const JUDGED = ["unknown", "distance", "rejected"]; // empty unless the model knows what it learned from, or a rule objects
const ENGINE = ["backend", "precision", "weights", "sha256"];
const PAGE_ONLY = ["crop"]; // for the eyes, not for programs

export function asJson(list) {
  const objects = answered(list).map((picture) => {
    if (picture.state === "failed") return { file: picture.name, error: plain(picture.error) };
    const kept = Object.entries(picture.result).filter(([key]) => !PAGE_ONLY.includes(key));
    return { ...Object.fromEntries(kept), predictions: best(picture.result), file: picture.name };
  });
  return `${JSON.stringify(objects, null, 1)}\n`;
}

export function asCsv(list) {
  const done = answered(list);
  const most = Math.max(0, ...done.map((picture) => (picture.result ? best(picture.result).length : 0)));
  const columns = columnsFor(most);
  const lines = done.map(row);
  return [columns, ...lines.map((line) => columns.map((column) => line[column] ?? ""))]
    .map((cells) => cells.map(cell).join(","))
    .join("\r\n")
    .concat("\r\n");
}

// The one schema of the project's CSV files: a row a picture, its answers side by side.
function columnsFor(most) {
  const ranked = Array.from({ length: most }, (_, place) => ANSWER.map((name) => `${name}_${place + 1}`));
  return ["file", ...ranked.flat(), ...JUDGED, "warnings", "error", "message", "message_zh", ...ENGINE];
}

function answered(list) {
  return list.filter((picture) => picture.state === "done" || picture.state === "failed");
}

function plain(error) {
  return { code: error.code, ...messages(error) };
}

function row(picture) {
  const file = asCell(picture.name);
  if (picture.state === "failed") return { file, error: picture.error.code, ...messages(picture.error) };
  const { warnings, engine, unknown, distance, rejected } = picture.result;
  const named = best(picture.result).flatMap((one) => ANSWER.map((name) => [`${name}_${one.rank}`, typeof one[name] === "string" ? asCell(one[name]) : one[name]]));
  return { file, ...Object.fromEntries(named), unknown, distance, rejected: rejected && asCell(rejected), warnings: warnings.join(";"), ...engine };
}

function messages({ texts }) {
  return { message: texts.en, message_zh: texts.zh };
}

// A file's name as the command line writes it: nothing that breaks a line, nothing a spreadsheet would run.
function asCell(name) {
  const unsafe = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u;
  const escape = /\\(?:\\|x[0-9a-f]{2}|u[0-9a-f]{4})/;
  const plain = unsafe.test(name) || escape.test(name) ? Array.from(name, (char) => escaped(char, unsafe)).join("") : name;
  return /^[=+\-@']/.test(plain) ? `'${plain}` : plain;
}

function escaped(char, unsafe) {
  if (char === "\\") return "\\\\";
  if (!unsafe.test(char)) return char;
  const code = char.charCodeAt(0);
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
}

function cell(value) {
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export function download(name, type, ...parts) {
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
