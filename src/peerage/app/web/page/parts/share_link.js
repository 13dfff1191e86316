// A link to show to somebody: to copy, or as a picture for the camera of a phone.

import { html } from "../core/view.js";
import { url } from "../core/api.js";
import { t } from "../core/words.js";
import { Dialog } from "./dialog.js";
import { Button, copyLink } from "./parts.js";

export function LinkDialog({ title, link, text, onClose }) {
  const foot = html`<${Button} kind="main" icon="copy" act=${() => copyLink(link)}>${t("link.copy")}</${Button}>`;
  return html`<${Dialog} title=${title} onClose=${onClose} foot=${foot}>
    <div class="stack">
      ${text && html`<p>${text}</p>`}
      <img class="qr" src=${url("qr", { text: link })} alt=${t("link.qr")} width="240" height="240" />
      <code class="link-text">${link}</code>
    </div>
  </${Dialog}>`;
}
