// The pictures of whole folders, in the order of their paths; what else lies in them is left out and counted.

export const MOST = 1000; // pictures at a time, lest a whole disk is dropped
const ENDINGS = /\.(jpe?g|jpe|jfif|mpo|a?png|webp|gif|bmp)$/i; // those that the command line takes from a folder
const SYSTEM = ["thumbs.db", "desktop.ini", "__macosx"];

// Hidden ones (.DS_Store, ._x.jpg) and those of the system: nobody chose them.
function isSystemFile(name) {
  return name.startsWith(".") || SYSTEM.includes(name.toLowerCase());
}

function newCount() {
  return { files: [], hidden: 0, others: 0, unread: 0, isCut: false };
}

// Of dropped entries; those that are files themselves were meant, whatever they are called.
export async function filesOfEntries(entries) {
  const found = newCount();
  for (const entry of entries) {
    if (entry.isDirectory) await walk(entry, found);
    else await takeFile(entry, found, entry.name);
  }
  return cut(found);
}

// Of a folder that was chosen in the browser's dialog, which gives all files below it at once.
export function filesOfFolder(list) {
  const found = newCount();
  for (const file of list) {
    const path = file.webkitRelativePath || file.name;
    if (counted(path.split("/").slice(1), found)) found.files.push(named(file, path));
  }
  return cut(found);
}

// Whether it is a picture, by the names on its way; else it is counted.
function counted(names, found) {
  if (names.some(isSystemFile)) found.hidden += 1;
  else if (!ENDINGS.test(names.at(-1))) found.others += 1;
  else return true;
  return false;
}

async function walk(folder, found) {
  const entries = await children(folder).catch(() => {
    found.unread += 1;
    return [];
  });
  for (const entry of entries) {
    if (found.files.length > MOST) return;
    if (entry.isDirectory && isSystemFile(entry.name)) found.hidden += 1;
    else if (entry.isDirectory) await walk(entry, found);
    else if (counted([entry.name], found)) await takeFile(entry, found, entry.fullPath.slice(1));
  }
}

// A folder is read in parts, until one is empty.
async function children(folder) {
  const reader = folder.createReader();
  const all = [];
  for (;;) {
    const part = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!part.length) return all.sort((one, other) => compare(one.name, other.name));
    all.push(...part);
  }
}

async function takeFile(entry, found, path) {
  try {
    found.files.push(named(await new Promise((resolve, reject) => entry.file(resolve, reject)), path));
  } catch {
    found.unread += 1;
  }
}

// In a list of several folders' pictures the name alone does not say which one it is.
function named(file, path) {
  file.shownAs = path;
  return file;
}

function cut(found) {
  const files = found.files.sort((one, other) => compare(one.shownAs, other.shownAs));
  return { ...found, files: files.slice(0, MOST), isCut: files.length > MOST };
}

function compare(one, other) {
  return one < other ? -1 : Number(one > other);
}
