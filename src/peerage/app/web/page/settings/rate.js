// Speeds as people type them: "1.5" and "MB/s". Pure.

export const UNITS = { "KB/s": 1000, "MB/s": 1_000_000, "GB/s": 1_000_000_000 };

/** Bytes a second -> {text, unit}; 0, which is no limit, is an empty text. `comma`: as the language writes fractions. */
export function shown(rate, comma = ".") {
  if (!rate) return { text: "", unit: "MB/s" };
  const unit = rate >= 1_000_000 && rate % 1000 === 0 ? "MB/s" : "KB/s";
  return { text: String(rate / UNITS[unit]).replace(".", comma), unit };
}

/** What was typed -> bytes a second; null when that is no speed. */
export function typed(text, unit) {
  const said = text.trim().replace(",", ".");
  if (!said) return 0;
  if (!/^\d{1,9}(\.\d{0,6})?$|^\.\d{1,6}$/.test(said)) return null;
  return Math.round(Number(said) * UNITS[unit]);
}
