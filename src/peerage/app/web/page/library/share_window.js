// One share with all that is known of it, and what can be changed.

import { html, useState } from "../core/view.js";
import { count, size } from "../core/format.js";
import { may, shares } from "../core/store.js";
import { t } from "../core/words.js";
import { Dialog } from "../parts/dialog.js";
import { Button, copyLink, Notice } from "../parts/parts.js";
import { copyPath, openFile, ready, showTo, takeBack } from "./actions.js";
import { Visibility } from "./visibility.js";

export function ShareWindow({ path, onLink, onClose }) {
  const share = shares.of(path);
  const [visibility, setVisibility] = useState(share?.visibility);
  if (!share) return null;
  const changed = visibility !== share.visibility;
  const save = () => {
    showTo(share, visibility);
    onClose();
  };
  const back = async () => {
    onClose(); // one window at a time
    await takeBack([share]);
  };
  const foot = html`
    ${may("share") && html`<${Button} kind="danger" icon="trash" act=${back}>${t("library.take-back")}</${Button}>`}
    <${Button} act=${onClose}>${t("close")}</${Button}>
    ${changed && html`<${Button} kind="main" act=${save}>${t("save")}</${Button}>`}
  `;
  return html`<${Dialog} title=${share.name} onClose=${onClose} foot=${foot}>
    <div class="stack">
      ${!share.available && html`<${Notice} kind="warn" icon="warn">${t("library.gone-text")} ${share.note}</${Notice}>`}
      <dl class="facts">
        <dt>${t("library.path")}</dt><dd class="mono">${share.path}</dd>
        <dt>${t("library.size")}</dt><dd>${size(share.size)}</dd>
        ${share.kind === "folder" && html`<dt>${t("library.files")}</dt><dd>${count(share.files)}</dd>`}
        ${share.available && share.note && html`<dt>${t("library.note")}</dt><dd>${share.note}</dd>`}
        ${share.content_id && html`<dt>${t("library.content")}</dt><dd class="mono small">${share.content_id}</dd>`}
      </dl>
      <div class="row wrap">
        ${ready(share) && html`
          <${Button} icon="copy" act=${() => copyLink(share.link)}>${t("link.copy")}</${Button}>
          <${Button} icon="qr" act=${() => onLink(share)}>${t("library.qr")}</${Button}>
        `}
        ${ready(share) && share.kind === "file" && html`<${Button} icon="open" act=${() => openFile(share)}>${t("library.open")}</${Button}>`}
        <${Button} icon="copy" act=${() => copyPath(share)}>${t("library.copy-path")}</${Button}>
      </div>
      ${may("share") && share.available
        ? html`<${Visibility} value=${visibility} onChange=${setVisibility} />`
        : html`<p>${t("library.who")}: ${t(`visibility.${share.visibility}`)}</p>`}
    </div>
  </${Dialog}>`;
}
