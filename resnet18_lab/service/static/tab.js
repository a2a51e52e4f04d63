// What the tab remembers until it is closed. Where the browser keeps nothing, everything works on without.

// Several services may stand under one host, each with a path of its own.
const OWN = `resnet18-lab ${new URL(".", document.baseURI).pathname} `;

export function recall(name) {
  try {
    return sessionStorage.getItem(OWN + name);
  } catch {
    return null; // storage is forbidden
  }
}

// Whether it is kept: the storage may be full or forbidden.
export function remember(name, text) {
  try {
    sessionStorage.setItem(OWN + name, text);
    return true;
  } catch {
    return false;
  }
}

export function forget(name) {
  try {
    sessionStorage.removeItem(OWN + name);
  } catch {
    // then there is nothing to forget
  }
}

export function remembered(beginning) {
  try {
    const names = Array.from({ length: sessionStorage.length }, (_, place) => sessionStorage.key(place));
    return names.filter((name) => name.startsWith(OWN + beginning)).map((name) => name.slice(OWN.length));
  } catch {
    return [];
  }
}
