// Small tools on the document.

export function byId(id) {
  return document.getElementById(id);
}

// An element with class, attributes and children; text is always text, never markup.
export function make(tag, { className, text, attributes = {} } = {}, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// Buttons stay focusable when they cannot be used, so that the keyboard's place is never lost.
export function setEnabled(button, enabled) {
  button.setAttribute("aria-disabled", String(!enabled));
}

export function isEnabled(button) {
  return button.getAttribute("aria-disabled") !== "true";
}

export function onPress(button, action) {
  button.addEventListener("click", () => {
    if (isEnabled(button)) action();
  });
}

let pending;
let fading;

// Said to everybody: to screen readers, and for a while at the foot of the window.
export function tell(text) {
  announce(text);
  const toast = byId("toast");
  toast.textContent = text;
  toast.hidden = false;
  clearTimeout(fading);
  fading = setTimeout(() => {
    toast.hidden = true;
  }, 6000);
}

// Said to screen readers; of several at once the last one counts.
export function announce(text) {
  clearTimeout(pending);
  const live = byId("live");
  live.textContent = "";
  pending = setTimeout(() => {
    live.textContent = text;
  }, 60); // a change from empty is what makes it spoken again
}
