// The answer for the picture looked at. Every part has its place from the start, so that nothing jumps.

import { byId, make } from "./elements.js";
import { language, milliseconds, percent, say } from "./language.js";
import { current } from "./pictures.js";
import { TEXTS } from "./texts.js";
import { best, topK } from "./topk.js";

const PARTS = ["decode", "prepare", "queue", "model"];
const ROOMY = 3; // rows, more are drawn closer

export function drawAnswer() {
  const picture = current();
  const result = picture?.result ?? null;
  const error = picture?.state === "failed" ? picture.error : null;
  byId("verdict").classList.toggle("working", picture?.state === "working");
  byId("verdict").setAttribute("aria-busy", String(picture?.state === "working"));
  byId("predictions").hidden = error !== null;
  byId("problem").hidden = error === null;
  if (error) drawProblem(picture, error);
  else drawPredictions(result);
  drawBadges(result);
  drawCrop(picture, result);
  drawTime(result);
  drawEngine(result);
}

function drawPredictions(result) {
  const rows = result ? best(result).map(row) : Array.from({ length: topK() }, (_, place) => emptyRow(place));
  byId("predictions").classList.toggle("many", topK() > ROOMY);
  byId("predictions").replaceChildren(...rows);
}

function row(one) {
  const bar = make("span", { className: "bar", attributes: { "aria-hidden": "true" } }, make("span"));
  bar.firstChild.style.width = `${100 * one.score}%`;
  const name = make("span", { className: "name", text: one[language()], attributes: { title: one[language()] } });
  const score = make("span", { className: "score", text: percent(one.score) });
  const id = make("span", { className: "id", text: [say("class_id", one), one.wnid].filter(Boolean).join(" · ") });
  return make("li", { className: one.rank === 1 ? "best" : "" }, line(name, score), line(bar, id));
}

function line(...parts) {
  return make("span", { className: "line" }, ...parts);
}

function emptyRow(place) {
  const name = make("span", { className: "name", text: place === 0 ? say("empty_row") : "–" });
  const bar = make("span", { className: "bar", attributes: { "aria-hidden": "true" } });
  const row_ = make("li", { className: "empty" }, line(name), line(bar));
  if (place > 0) row_.setAttribute("aria-hidden", "true");
  return row_;
}

function drawProblem(picture, error) {
  byId("problem").replaceChildren(
    make("strong", { text: picture.name }),
    make("span", { text: error.texts[language()] }),
    make("code", { text: error.code, attributes: { translate: "no" } }),
  );
}

function drawBadges(result) {
  byId("cached").hidden = !result?.cached;
  const unknown = byId("unknown");
  unknown.hidden = !result?.unknown;
  unknown.textContent = result?.unknown ? say("unknown", { distance: result.distance.toFixed(2) }) : "";
  const rejected = byId("rejected");
  rejected.hidden = !result?.rejected;
  rejected.textContent = rejected.title = result?.rejected ? say("rejected", { reason: result.rejected }) : "";
  const warned = byId("warned");
  const warnings = [...(result?.warnings ?? []), ...(result?.animated ? ["animated"] : [])];
  warned.hidden = !warnings.length;
  warned.textContent = warned.title = warnings.map((name) => (`warning_${name}` in TEXTS.en ? say(`warning_${name}`) : name)).join(", ");
}

function drawCrop(picture, result) {
  const crop = byId("crop");
  crop.hidden = !result?.crop;
  if (result?.crop && crop.getAttribute("src") !== result.crop) crop.src = result.crop;
  crop.alt = result?.crop ? say("crop_alt", { name: picture.name }) : "";
}

function drawTime(result) {
  const timing = result?.timing_ms;
  byId("total").textContent = timing ? milliseconds(timing.total) : "–";
  const known = PARTS.map((part) => [part, timing?.[part] ?? 0]);
  const rest = timing ? Math.max(timing.total - known.reduce((sum, [, value]) => sum + value, 0), 0) : 0;
  const parts = [...known, ["other", rest]];
  const sum = parts.reduce((total, [, value]) => total + value, 0);
  byId("split").replaceChildren(
    ...parts.map(([part, value]) => {
      const piece = make("span", { className: part });
      piece.style.width = sum > 0 ? `${(100 * value) / sum}%` : "0";
      return piece;
    }),
  );
  byId("legend").replaceChildren(
    ...parts.map(([part, value]) =>
      make(
        "div",
        { className: part },
        make("dt", { text: say(part) }),
        make("dd", { text: timing ? milliseconds(value) : "–" }),
      ),
    ),
  );
}

function drawEngine(result) {
  const engine = result?.engine;
  byId("engine").textContent = engine ? say("engine", engine) : "";
}
