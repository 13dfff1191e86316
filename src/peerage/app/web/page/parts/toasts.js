// Where the messages of core/toasts.js appear.

import { html } from "../core/view.js";
import { dismiss, toasts } from "../core/toasts.js";
import { t } from "../core/words.js";
import { Icon } from "./icons.js";

const ICONS = { good: "check", bad: "warn", info: "info" };

export function Toasts() {
  return html`<div class="toasts" role="status" aria-live="polite">
    ${toasts.value.map(
      ({ id, text, kind, action }) => html`<div key=${id} class=${`toast ${kind}`}>
        <${Icon} name=${ICONS[kind]} />
        <span class="grow">${text}</span>
        ${action && html`<button type="button" class="button plain" onClick=${() => (dismiss(id), action.act())}>${action.text}</button>`}
        <button type="button" class="button plain icon" aria-label=${t("close")} onClick=${() => dismiss(id)}><${Icon} name="cross" /></button>
      </div>`,
    )}
  </div>`;
}
