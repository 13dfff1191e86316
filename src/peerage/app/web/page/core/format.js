// Numbers, sizes and times as people read them, in the language of the page.

import { language, t } from "./words.js";

const UNITS = ["B", "KB", "MB", "GB", "TB", "PB"];

const number = (value, digits = 0) =>
  value.toLocaleString(language.value, { minimumFractionDigits: 0, maximumFractionDigits: digits });

export const count = (value) => number(value);

/** 1,500,000 -> "1.5 MB": powers of 1,000, three figures. */
export function size(bytes) {
  if (bytes === null || bytes === undefined) return "–";
  let at = 0;
  let value = bytes;
  while (value >= 999.5 && at < UNITS.length - 1) {
    value /= 1000;
    at += 1;
  }
  return `${number(value, at === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2)} ${UNITS[at]}`;
}

export const speed = (rate) => `${size(Math.round(rate))}/s`;

export const percent = (part, whole) => (whole ? Math.floor((100 * part) / whole) : 0);

/** 3,700 -> "1 h 1 min"; null is unknown. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "–";
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return t("time.seconds", { n: whole });
  if (whole < 3600) return t("time.minutes", { n: Math.round(whole / 60) });
  if (whole < 86400) return t("time.hours", { hours: Math.floor(whole / 3600), minutes: Math.floor((whole % 3600) / 60) });
  return t("time.days", { n: Math.floor(whole / 86400) });
}

/** 221.4 -> "3:41", as players show it. */
export function clock(seconds) {
  const whole = Math.round(seconds);
  const minutes = Math.floor(whole / 60) % 60;
  const hours = Math.floor(whole / 3600);
  const two = (value) => String(value).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

export function date(seconds) {
  return new Date(seconds * 1000).toLocaleString(language.value, { dateStyle: "medium", timeStyle: "short" });
}

/** How long ago, in words. */
export function ago(seconds) {
  const passed = Date.now() / 1000 - seconds;
  return passed < 10 ? t("time.now") : t("time.ago", { time: duration(passed) });
}

/** The beginning of an id, enough to tell it from others. */
export const short = (id) => id.slice(0, 8);

export const latency = (seconds) => (seconds === null || seconds === undefined ? "–" : `${number(seconds * 1000, 1)} ms`);
