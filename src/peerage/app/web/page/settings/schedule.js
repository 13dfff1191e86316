// When the slower speeds hold: painted on a week, or written as texts, where minutes count.

import { html, useState } from "../core/view.js";
import { t } from "../core/words.js";
import { Button } from "../parts/parts.js";
import { same } from "./entries.js";
import { minutesOf, textsOf } from "./hours.js";
import { WeekGrid } from "./week_grid.js";

const PATTERNS = {
  work: ["mon-fri 08:00-18:00"],
  day: ["mon-sun 08:00-23:00"],
  never: [],
};

const linesOf = (text) => text.split("\n").map((each) => each.trim()).filter(Boolean);

/** `value`: texts of hours; `onValue(texts, fault)`. */
export function HoursInput({ id, value, described, invalid, label, onValue }) {
  const [text, setText] = useState(null); // what is being written, while it is
  const known = minutesOf(value);
  const week = known ?? new Uint8Array(7 * 1440);
  const paint = (next) => {
    setText(null);
    onValue(textsOf(next), "");
  };
  if (text !== null && !same(linesOf(text), value)) setText(null); // it was reset or undone
  const written = (event) => {
    const texts = linesOf(event.currentTarget.value);
    setText(event.currentTarget.value);
    onValue(texts, minutesOf(texts) ? "" : t("settings.no-hours"));
  };
  return html`<div class="stack tight hours">
    <div class="row wrap">
      ${Object.entries(PATTERNS).map(([name, texts]) => html`<${Button} act=${() => paint(minutesOf(texts))}>${t(`settings.pattern.${name}`)}</${Button}>`)}
    </div>
    <${WeekGrid} week=${week} onWeek=${paint} label=${label} described=${described} />
    <p class="quiet small">${t("settings.week-help")}</p>
    <label for=${id} class="small">${t("settings.hours-text")}</label>
    <textarea
      id=${id}
      class="input mono"
      rows=${Math.max(2, Math.min(8, value.length + 1))}
      spellcheck=${false}
      aria-describedby=${described}
      aria-invalid=${invalid ? "true" : undefined}
      value=${text ?? value.join("\n")}
      onInput=${written}
      onBlur=${() => known && setText(null)}
    ></textarea>
  </div>`;
}
