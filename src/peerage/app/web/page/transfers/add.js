// Begins a download by a link that somebody gave the user.

import { html, useState } from "../core/view.js";
import { post } from "../core/api.js";
import { askOnce } from "../core/notify.js";
import { transfers } from "../core/store.js";
import { reason } from "../core/toasts.js";
import { t } from "../core/words.js";
import { Dialog } from "../parts/dialog.js";
import { Button, Field } from "../parts/parts.js";

export function Add({ link, onClose }) {
  const [target, setTarget] = useState(link);
  const [fault, setFault] = useState("");
  const begin = async (event) => {
    event.preventDefault();
    askOnce();
    try {
      for (const line of target.split("\n").filter((each) => each.trim())) {
        transfers.put(await post("transfers", { target: line.trim() }));
      }
      onClose();
    } catch (error) {
      setFault(reason(error));
    }
  };
  const input = (id, described) => html`<textarea id=${id} class="input" rows="4" required autofocus spellcheck=${false} aria-describedby=${described}
    aria-invalid=${fault ? "true" : undefined} placeholder="peerage:…" value=${target} onInput=${(event) => setTarget(event.currentTarget.value)}></textarea>`;
  return html`<${Dialog} title=${t("transfers.add")} onClose=${onClose}>
    <form class="stack" onSubmit=${begin}>
      <${Field} label=${t("transfers.add.link")} hint=${t("transfers.add.hint")} fault=${fault} input=${input} />
      <div class="row"><${Button} kind="main" icon="down" type="submit" disabled=${!target.trim()}>${t("transfers.add.begin")}</${Button}></div>
    </form>
  </${Dialog}>`;
}
