// Who may see a share: the three choices, each with what it means.

import { html, useId } from "../core/view.js";
import { t } from "../core/words.js";

export const VISIBILITIES = ["public", "friends", "link"];

export function Visibility({ value, onChange }) {
  const id = useId();
  return html`<fieldset class="stack tight">
    <legend class="label">${t("library.who")}</legend>
    ${VISIBILITIES.map(
      (each) => html`<label class="choice">
        <input type="radio" name=${id} checked=${each === value} onChange=${() => onChange(each)} />
        <span>${t(`visibility.${each}`)}<span class="quiet small">${t(`library.who.${each}`)}</span></span>
      </label>`,
    )}
  </fieldset>`;
}
