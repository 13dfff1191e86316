// The small pieces that every view uses.

import { html, useId, useState } from "../core/view.js";
import { percent } from "../core/format.js";
import { attempt, say } from "../core/toasts.js";
import { t } from "../core/words.js";
import { Icon } from "./icons.js";

/** A button; while what it began goes on it cannot be pressed again. `act` may return a promise. */
export function Button({ icon, kind = "", label, act, disabled, title, type = "button", children, ...rest }) {
  const [busy, setBusy] = useState(false);
  const pressed = async (event) => {
    const going = act?.(event);
    if (!going?.then) return;
    setBusy(true);
    try {
      await going;
    } finally {
      setBusy(false);
    }
  };
  const bare = !children;
  return html`<button
    type=${type}
    class=${`button ${kind} ${bare ? "icon" : ""}`}
    aria-label=${bare ? label : undefined}
    title=${title ?? (bare ? label : undefined)}
    disabled=${disabled || busy}
    onClick=${pressed}
    ...${rest}
  >${icon && html`<${Icon} name=${icon} />`}${children}</button>`;
}

/** The head of a view: what it is, and what can be done in it. */
export function ViewHead({ title, children }) {
  return html`<header class="view-head"><h1 tabindex="-1">${title}</h1><div class="row wrap">${children}</div></header>`;
}

/** What stands where nothing is yet: what this is for, and how to begin. */
export function Empty({ icon, title, text, children }) {
  return html`<div class="empty">
    <${Icon} name=${icon} /><h2>${title}</h2>${text && html`<p>${text}</p>`}
    ${children && html`<div class="row wrap">${children}</div>`}
  </div>`;
}

/** A labelled input; `input(id, described)` draws it. */
export function Field({ label, hint, fault, input }) {
  const id = useId();
  const described = fault ? `${id}-fault` : hint ? `${id}-hint` : undefined;
  return html`<div class="field">
    <label for=${id}>${label}</label>
    ${input(id, described)}
    ${hint && html`<span class="hint" id=${`${id}-hint`}>${hint}</span>`}
    ${fault && html`<span class="fault" id=${`${id}-fault`} role="alert">${fault}</span>`}
  </div>`;
}

/** How much of something is done. */
export function Bar({ done, of, kind = "", label }) {
  const part = percent(done, of);
  return html`<div
    class=${`bar ${kind}`}
    role="progressbar"
    aria-label=${label}
    aria-valuenow=${part}
    aria-valuemin="0"
    aria-valuemax="100"
  ><i style=${{ width: `${part}%` }}></i></div>`;
}

export const Badge = ({ kind = "", icon, children }) =>
  html`<span class=${`badge ${kind}`}>${icon && html`<${Icon} name=${icon} />`}${children}</span>`;

/** One of a few: `options` are [value, text] pairs. */
export function Segments({ label, value, options, onChange }) {
  return html`<div class="segments" role="group" aria-label=${label}>
    ${options.map(
      ([option, text]) => html`<button
        type="button"
        aria-pressed=${option === value ? "true" : "false"}
        onClick=${() => onChange(option)}
      >${text}</button>`,
    )}
  </div>`;
}

export function Notice({ kind = "", icon = "info", children }) {
  return html`<div class=${`notice ${kind}`}><${Icon} name=${icon} /><div class="grow">${children}</div></div>`;
}

/** Copy a text, and say so. */
export const copy = (text, done = t("copied")) => attempt(() => navigator.clipboard.writeText(text), done);

/** Copy a link, in a way that also works where a browser allows no clipboard: it is shown, selected. */
export async function copyLink(link) {
  try {
    await navigator.clipboard.writeText(link);
    say(t("copied"));
  } catch {
    prompt(t("copy.by-hand"), link);
  }
}
