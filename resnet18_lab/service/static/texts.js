// Every text of the page in both languages; a test holds that both have the same keys and blanks.

import { CHINESE } from "./chinese.js";
import { ENGLISH } from "./english.js";

export const TEXTS = { en: ENGLISH, zh: CHINESE };
