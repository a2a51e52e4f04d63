// What goes wrong, with its text in both languages.

import { both } from "./language.js";

export class ServiceError extends Error {
  constructor({ code, message, message_zh }, again = false) {
    super(message);
    this.code = code;
    this.texts = { en: message, zh: message_zh ?? message };
    this.again = again; // worth trying again without another picture
  }
}

export function own(code, values = {}, again = false) {
  return new ServiceError({ code, ...both(`error_${code}`, values) }, again);
}
