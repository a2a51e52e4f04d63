// Pictures that were dragged out of a page and came as their address alone.

import { fetchPicture } from "./service.js";

const IMAGE = /<img\b[^>]*?\ssrc\s*=\s*(?:"([^"]*)"|'([^']*)')/i; // by hand: a parsed document would break our policy
const ENTITIES = { "&amp;": "&", "&quot;": '"', "&#39;": "'", "&lt;": "<", "&gt;": ">" };
let taken = 0;

// The address of what was dropped or pasted, null when there is none; the picture's rather than where it leads to.
export function linkIn(transfer) {
  const image = IMAGE.exec(transfer.getData("text/html"));
  const source = (image?.[1] ?? image?.[2])?.replace(/&\w+;|&#39;/g, (entity) => ENTITIES[entity] ?? entity);
  const listed = transfer.getData("text/uri-list").split(/\r?\n/).find((line) => line && !line.startsWith("#"));
  const words = transfer.getData("text/plain").trim();
  return [source, listed, /^(https?:|data:image\/)\S+$/i.test(words) ? words : null].map(parsed).find(Boolean) ?? null;
}

function parsed(text) {
  try {
    return text ? new URL(text) : null;
  } catch {
    return null;
  }
}

export function isElsewhere(link) {
  return /^https?:$/.test(link.protocol) && link.origin !== location.origin;
}

// The file behind an address of our own or a data: address; null when there is no picture.
export async function fileOf(link) {
  const file = await (link.protocol === "data:" ? fileOfData(link.href) : fileOfOurs(link)).catch(() => null);
  return file?.type.startsWith("image/") ? file : null;
}

async function fileOfOurs(link) {
  if (link.origin !== location.origin) throw new TypeError("not ours");
  return fetchPicture(link.href, decodeURIComponent(link.pathname.split("/").at(-1)) || "picture");
}

// By hand: fetching it would need a policy that lets scripts fetch such addresses.
async function fileOfData(address) {
  const [, type, isBase64, content] = /^data:(image\/[\w.+-]+)[^,]*?(;base64)?,(.*)$/is.exec(address);
  const text = decodeURIComponent(content);
  const bytes = isBase64 ? Uint8Array.from(atob(text), (char) => char.charCodeAt(0)) : new TextEncoder().encode(text);
  taken += 1;
  const file = new File([bytes], `dropped-${taken}.${type.split("/")[1].replace("jpeg", "jpg").replace(/\W.*/, "")}`, { type });
  file.pasted = true; // it lies on no disk
  return file;
}
