// How two people connect their nodes: this node's address to show, and a place for the other's.

import { html, useState } from "../core/view.js";
import { patch, post, url } from "../core/api.js";
import { peers, status } from "../core/store.js";
import { reason, say } from "../core/toasts.js";
import { t } from "../core/words.js";
import { Dialog } from "./dialog.js";
import { Button, copyLink, Field } from "./parts.js";

/** The address of this node as others need it: who it is, and where. */
export const ownAddress = () => {
  const { peer_id: id, addresses } = status.value;
  return addresses.length ? `${id}@${addresses[0]}` : "";
};

export function ConnectDialog({ address: given = "", onClose }) {
  const [address, setAddress] = useState(given);
  const [friend, setFriend] = useState(true);
  const [fault, setFault] = useState("");
  const own = ownAddress();
  const connect = async (event) => {
    event.preventDefault();
    setFault("");
    try {
      let peer = await post("peers/connect", { address: address.trim() });
      if (friend) peer = await patch(["peers", peer.peer_id], { friend: true });
      peers.put(peer);
      say(t("friend.connected", { name: peer.name || peer.peer_id.slice(0, 8) }));
      onClose();
    } catch (error) {
      setFault(reason(error));
    }
  };
  const input = (id, described) => html`<input id=${id} class="input" required autofocus spellcheck=${false} autocomplete="off" maxlength="8000"
    aria-describedby=${described} aria-invalid=${fault ? "true" : undefined} value=${address} onInput=${(event) => setAddress(event.currentTarget.value)} />`;
  return html`<${Dialog} title=${t("friend.title")} onClose=${onClose}>
    <div class="stack">
      <form class="stack" onSubmit=${connect}>
        <${Field} label=${t("friend.theirs")} hint=${t("friend.theirs-hint")} fault=${fault} input=${input} />
        <label class="check"><input type="checkbox" checked=${friend} onChange=${(event) => setFriend(event.currentTarget.checked)} /> ${t("friend.befriend")}</label>
        <div class="row"><${Button} kind="main" icon="link" type="submit" disabled=${!address.trim()}>${t("friend.connect")}</${Button}></div>
      </form>
      <section class="stack tight">
        <h3>${t("friend.own")}</h3>
        ${own
          ? html`<p class="small quiet">${t("friend.own-hint")}</p>
              <img class="qr" src=${url("qr", { text: own })} alt=${t("friend.qr")} width="240" height="240" />
              <code class="link-text">${own}</code>
              <div class="row"><${Button} icon="copy" act=${() => copyLink(own)}>${t("friend.copy")}</${Button}></div>`
          : html`<p>${t("friend.nowhere")}</p>`}
      </section>
    </div>
  </${Dialog}>`;
}
