// What a setting is typed into, by its kind. Each calls `onValue(value, fault)`; with a fault it cannot be saved.

import { html, useState } from "../core/view.js";
import { language, t } from "../core/words.js";
import { same } from "./entries.js";
import { BOUNDS, CHOICES, kindOf, MOST_RATE } from "./known.js";
import { shown, typed, UNITS } from "./rate.js";
import { HoursInput } from "./schedule.js";

const INPUTS = { switch: Switch, choice: Choice, rate: Rate, hours: HoursInput, number: Whole, lines: Lines, text: Line };

export function Input(props) {
  const Kind = INPUTS[kindOf(props.entry)];
  return html`<${Kind} ...${props} />`;
}

const common = ({ id, described, invalid }) => ({
  id,
  "aria-describedby": described,
  "aria-invalid": invalid ? "true" : undefined,
});

function Switch({ value, onValue, ...rest }) {
  return html`<input ...${common(rest)} type="checkbox" role="switch" class="switch" checked=${value} onChange=${(event) => onValue(event.currentTarget.checked)} />`;
}

function Choice({ entry, value, onValue, ...rest }) {
  const choices = CHOICES[entry.name].includes(value) ? CHOICES[entry.name] : [...CHOICES[entry.name], value];
  return html`<select ...${common(rest)} class="input" value=${value} onChange=${(event) => onValue(event.currentTarget.value)}>
    ${choices.map((each) => html`<option value=${each}>${t(`setting.${entry.name}.${each}`)}</option>`)}
  </select>`;
}

function Line({ entry, value, onValue, ...rest }) {
  return html`<input ...${common(rest)} class="input" type="text" spellcheck=${false} autocapitalize="off" autocomplete="off" maxlength="8000" placeholder=${entry.default || undefined} value=${value} onInput=${(event) => onValue(event.currentTarget.value.trim())} />`;
}

const linesOf = (text) => text.split("\n").map((each) => each.trim()).filter(Boolean);

function Lines({ value, onValue, ...rest }) {
  const [text, setText] = useState(null); // while it is being written, with the empty lines between
  if (text !== null && !same(linesOf(text), value)) setText(null); // it was reset or undone
  const written = (event) => {
    setText(event.currentTarget.value);
    onValue(linesOf(event.currentTarget.value));
  };
  return html`<textarea
    ...${common(rest)}
    class="input"
    rows=${Math.max(2, Math.min(6, value.length + 1))}
    spellcheck=${false}
    value=${text ?? value.join("\n")}
    onInput=${written}
    onBlur=${() => setText(null)}
  ></textarea>`;
}

function Whole({ entry, value, onValue, ...rest }) {
  const [text, setText] = useState(null);
  const [least, most] = BOUNDS[entry.name] ?? [0, Number.MAX_SAFE_INTEGER];
  const written = (event) => {
    const said = event.currentTarget.value.trim();
    const number = /^\d{1,15}$/.test(said) ? Number(said) : NaN;
    const good = number >= least && number <= most;
    setText(said);
    onValue(good ? number : value, good ? "" : t(entry.name in BOUNDS ? "settings.no-number" : "settings.no-whole", { least, most }));
  };
  return html`<input ...${common(rest)} class="input number-input" type="text" inputmode="numeric" autocomplete="off" maxlength="15" value=${rest.invalid && text !== null ? text : value} onInput=${written} onBlur=${() => !rest.invalid && setText(null)} />`;
}

function Rate({ entry, value, label, onValue, ...rest }) {
  const [said, setSaid] = useState(null); // {text, unit} while it is being written
  const { text, unit } = said ?? shown(value, language.value === "de" ? "," : ".");
  const put = (next) => {
    setSaid(next);
    const rate = typed(next.text, next.unit);
    if (rate === null) onValue(value, t("settings.no-speed"));
    else if (rate > MOST_RATE) onValue(value, t("settings.too-fast"));
    else onValue(rate, "");
  };
  // what was reset or undone elsewhere is shown again
  if (said && !rest.invalid && typed(text, unit) !== value) setSaid(null);
  return html`<span class="row rate">
    <input ...${common(rest)} class="input number-input" type="text" inputmode="decimal" autocomplete="off" maxlength="16" placeholder=${t(entry.name.startsWith("schedule.") ? "settings.as-always" : "settings.no-limit")} value=${text} onInput=${(event) => put({ text: event.currentTarget.value, unit })} />
    <select class="input" aria-label=${t("settings.unit-of", { name: label })} value=${unit} onChange=${(event) => put({ text, unit: event.currentTarget.value })}>
      ${Object.keys(UNITS).map((each) => html`<option value=${each}>${each}</option>`)}
    </select>
  </span>`;
}
