// A window above the page: the browser's own <dialog>, which keeps the focus inside and closes with Escape.

import { html, signal, useId, useLayoutEffect, useRef } from "../core/view.js";
import { t } from "../core/words.js";
import { Icon } from "./icons.js";

/** Shown as long as it is rendered; `onClose` is called when the user wants it gone. `foot`: its buttons. */
export function Dialog({ title, onClose, foot, wide = false, children }) {
  const dialog = useRef(null);
  const id = useId();
  useLayoutEffect(() => {
    const shown = dialog.current;
    const before = document.activeElement;
    shown.showModal();
    return () => {
      shown.close();
      before?.focus?.();
    };
  }, []);
  const cancelled = (event) => {
    event.preventDefault();
    onClose();
  };
  const pressed = (event) => event.target === dialog.current && onClose(); // on the veil round it
  return html`<dialog
    ref=${dialog}
    class=${wide ? "wide" : ""}
    aria-labelledby=${id}
    onCancel=${cancelled}
    onMouseDown=${pressed}
  >
    <div class="dialog-head">
      <h2 id=${id}>${title}</h2>
      <button type="button" class="button plain icon" aria-label=${t("close")} onClick=${onClose}><${Icon} name="cross" /></button>
    </div>
    <div class="dialog-body">${children}</div>
    ${foot && html`<div class="dialog-foot">${foot}</div>`}
  </dialog>`;
}

const asked = signal(null);

/** Ask whether to do something that cannot be undone; gives true or false. */
export function confirm({ title, text, action, danger = true }) {
  return new Promise((resolve) => {
    asked.value = { title, text, action, danger, resolve };
  });
}

/** Where questions of `confirm` appear; once in the page. */
export function Confirmations() {
  const question = asked.value;
  if (!question) return null;
  const answer = (said) => () => {
    asked.value = null;
    question.resolve(said);
  };
  const foot = html`
    <button type="button" class="button" onClick=${answer(false)}>${t("cancel")}</button>
    <button type="button" class=${`button ${question.danger ? "danger" : "main"}`} onClick=${answer(true)}>${question.action}</button>
  `;
  return html`<${Dialog} title=${question.title} onClose=${answer(false)} foot=${foot}><p>${question.text}</p></${Dialog}>`;
}
