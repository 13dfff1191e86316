// Every sentence of the page, in the language of its user: t("transfers.left", { time: "2 min" }).
//
// A sentence stands in words/LANGUAGE.js; `{name}` is filled in, and one with forms for numbers is an object of them:
// { one: "{n} file", other: "{n} files" }, chosen by the value `n` as the language counts.

import { signal } from "./view.js";
import en from "../words/en.js";

export const LANGUAGES = { en: "English", de: "Deutsch" };
const KEPT = "peerage.language";

export const language = signal("en");
const words = signal(en);
let counts = new Intl.PluralRules("en");

/** Use a language; "" is that of the browser. */
export async function speak(wanted) {
  const chosen = wanted || navigator.languages.map((name) => name.split("-")[0]).find((name) => name in LANGUAGES) || "en";
  const loaded = chosen === "en" ? en : (await import(`../words/${chosen}.js`)).default;
  counts = new Intl.PluralRules(chosen);
  document.documentElement.lang = chosen;
  language.value = chosen;
  words.value = loaded;
}

export function keepLanguage(wanted) {
  if (wanted) localStorage.setItem(KEPT, wanted);
  else localStorage.removeItem(KEPT);
  return speak(wanted);
}

export const keptLanguage = () => localStorage.getItem(KEPT) ?? "";

/** Return a sentence; a key that no language has comes back as it is, so that it is seen. */
export function t(key, values = {}) {
  let text = words.value[key] ?? en[key];
  if (text === undefined) return key;
  if (typeof text === "object") text = text[counts.select(Number(values.n))] ?? text.other;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** Whether there is such a sentence: what the node says in codes may be newer than the page. */
export const knows = (key) => key in en;

/** What a check of the doctor says by its code, where the language has it; otherwise as the node said it. */
export function checked(code, said, values, sizeOf) {
  const text = words.value.checks?.[code];
  if (text === undefined) return said;
  return text.replace(/\{(?:(size):)?(\w+)\}/g, (whole, kind, name) => {
    if (!(name in values)) return whole;
    return kind ? sizeOf(values[name]) : String(values[name]);
  });
}
