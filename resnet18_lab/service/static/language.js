// The page's language: which one is on, its texts and numbers, and switching it everywhere at once.

import { TEXTS } from "./texts.js";

const STORED = "resnet18-lab-language";
const TAGS = { en: "en", zh: "zh-Hans" };
const listeners = [];
let current = first();

function first() {
  const asked = new URLSearchParams(location.search).get("lang");
  if (asked !== null && Object.hasOwn(TEXTS, asked)) return asked;
  const kept = stored();
  if (kept !== null && Object.hasOwn(TEXTS, kept)) return kept;
  return navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
}

function stored() {
  try {
    return localStorage.getItem(STORED);
  } catch {
    return null; // storage is forbidden: the browser's language decides
  }
}

export function language() {
  return current;
}

const facts = { classes: 1000 }; // what texts may name without being told

// What the model's texts name from now on.
export function know(more) {
  Object.assign(facts, more);
}

export function say(key, values = {}, chosen = current) {
  const known = { ...facts, ...values };
  return TEXTS[chosen][key].replace(/\{(\w+)\}/g, (whole, name) => (name in known ? written(known[name], name, chosen) : whole));
}

function written(value, name, chosen) {
  return name === "classes" && chosen === "en" ? value.toLocaleString("en") : String(value);
}

// The same text in both languages, in the form of the service's errors.
export function both(key, values = {}) {
  return { message: say(key, values, "en"), message_zh: say(key, values, "zh") };
}

export function percent(score) {
  // Rounding must not turn a high score into certainty, nor a small one into nothing.
  if (score > 0.999 && score < 1) return ">99.9%";
  if (score > 0 && score < 0.001) return "<0.1%";
  return `${(100 * score).toFixed(1)}%`;
}

export function milliseconds(value) {
  return `${value >= 100 ? value.toFixed(0) : value.toFixed(1)} ms`;
}

export function bytes(count) {
  if (count < 1000) return `${count} B`;
  return count < 1_000_000 ? `${(count / 1000).toFixed(0)} kB` : `${(count / 1_000_000).toFixed(1)} MB`;
}

export function onLanguage(listener) {
  listeners.push(listener);
}

export function setLanguage(chosen) {
  current = chosen;
  try {
    localStorage.setItem(STORED, chosen);
  } catch {
    // it is only forgotten
  }
  applyLanguage();
}

export function applyLanguage() {
  document.documentElement.lang = TAGS[current];
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = say(element.dataset.text);
  for (const element of document.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", say(element.dataset.label));
  }
  for (const button of document.querySelectorAll("[data-language]")) {
    button.setAttribute("aria-pressed", String(button.dataset.language === current));
  }
  for (const listener of listeners) listener();
}
