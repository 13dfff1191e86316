// The list of what this node shares, with a search in it; long lists stay quick, since only what is in sight is drawn.

import { html, useMemo, useState } from "../core/view.js";
import { count, size } from "../core/format.js";
import { language, t } from "../core/words.js";
import { may, shares } from "../core/store.js";
import { TypeIcon } from "../parts/icons.js";
import { Menu } from "../parts/menu.js";
import { Badge, Button, copyLink } from "../parts/parts.js";
import { Rows } from "../parts/rows.js";
import { LinkDialog } from "../parts/share_link.js";
import { copyPath, openFile, ready, takeBack } from "./actions.js";
import { typeOf } from "./kinds.js";
import { ShareWindow } from "./share_window.js";
import { VISIBILITIES } from "./visibility.js";

const ORDERS = ["new", "name", "size"];
const WHO_ICONS = { public: "peers", friends: "friend", link: "link" };

export function Shares() {
  const [text, setText] = useState("");
  const [who, setWho] = useState("");
  const [order, setOrder] = useState("new");
  const [opened, setOpened] = useState(null); // its path
  const [linked, setLinked] = useState(null);

  const changed = shares.changed.value;
  const shown = useMemo(() => chosen(text, who, order), [changed, text, who, order, language.value]);
  const sum = useMemo(() => shown.reduce((total, share) => total + share.size, 0), [shown]);
  const line = (share) => html`<${Line} share=${share} onOpen=${setOpened} onLink=${setLinked} />`;
  const link = (share) => {
    setOpened(null);
    setLinked(share);
  };
  return html`
    <div class="row wrap tools">
      <input class="input grow" type="search" maxlength="200" aria-label=${t("library.search")} placeholder=${t("library.search")} value=${text} onInput=${(event) => setText(event.currentTarget.value)} />
      <select class="input" aria-label=${t("library.who")} value=${who} onChange=${(event) => setWho(event.currentTarget.value)}>
        <option value="">${t("library.all")}</option>
        ${VISIBILITIES.map((each) => html`<option value=${each}>${t(`visibility.${each}`)}</option>`)}
        <option value="gone">${t("library.gone")}</option>
      </select>
      <select class="input" aria-label=${t("library.order")} value=${order} onChange=${(event) => setOrder(event.currentTarget.value)}>
        ${ORDERS.map((each) => html`<option value=${each}>${t(`library.order.${each}`)}</option>`)}
      </select>
    </div>
    <p class="quiet small sum" role="status">${t("library.sum", { n: shown.length, size: size(sum), count: count(shown.length) })}</p>
    ${shown.length
      ? html`<${Rows} items=${shown} keyOf=${(share) => share.path} line=${line} label=${t("library.list")} onOpen=${(share) => setOpened(share.path)} />`
      : html`<p class="card quiet">${t("library.none-fits")}</p>`}
    ${opened !== null && html`<${ShareWindow} key=${opened} path=${opened} onLink=${link} onClose=${() => setOpened(null)} />`}
    ${linked && html`<${LinkDialog} title=${linked.name} link=${linked.link} text=${t(`library.link-text.${linked.visibility}`)} onClose=${() => setLinked(null)} />`}
  `;
}

/** The shares that fit, in order; those that were shared last come first unless another order is wanted. */
function chosen(text, who, order) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (share) => {
    if (who === "gone" ? share.available : who && share.visibility !== who) return false;
    if (!words.length) return true;
    const said = `${share.name} ${share.path}`.toLowerCase();
    return words.every((word) => said.includes(word));
  };
  const found = [...shares.items.values()].filter(fits);
  if (order === "new") return found.reverse();
  if (order === "size") return found.sort((one, other) => other.size - one.size);
  const { compare } = new Intl.Collator(language.value, { numeric: true });
  return found.sort((one, other) => compare(one.name, other.name));
}

function Line({ share, onOpen, onLink }) {
  const { name, path, kind, visibility, available, note } = share;
  const file = kind === "file";
  const items = [
    { icon: "info", text: t("library.details"), act: () => onOpen(path) },
    file && { icon: "open", text: t("library.open"), act: () => openFile(share), disabled: !ready(share) },
    { icon: "copy", text: t("link.copy"), act: () => copyLink(share.link), disabled: !share.link },
    { icon: "qr", text: t("library.qr"), act: () => onLink(share), disabled: !share.link },
    { icon: "copy", text: t("library.copy-path"), act: () => copyPath(share) },
    may("share") && { icon: "eye", text: t("library.change-who"), act: () => onOpen(path) },
    may("share") && "-",
    may("share") && { icon: "trash", text: t("library.take-back-menu"), danger: true, act: () => takeBack([share]) },
  ];
  return html`
    <span class="kind"><${TypeIcon} type=${typeOf(share)} /></span>
    <div class="grow names">
      <button type="button" class="name cut" title=${name} onClick=${() => onOpen(path)}>${name}</button>
      <span class="small quiet second"><span class="narrow number">${size(share.size)} ·</span><span class="cut path" title=${path}><bdi>${path}</bdi></span></span>
    </div>
    ${!available && html`<${Badge} kind="warn" icon="warn">${t("library.gone")}</${Badge}>`}
    ${available && note && html`<span class="wide small quiet cut note" title=${note}>${note}</span>`}
    <span class="wide small quiet number files">${file ? "" : t("files", { n: share.files })}</span>
    <span class="wide number size">${size(share.size)}</span>
    <span class="who"><${Badge} icon=${WHO_ICONS[visibility]}><span class="wide">${t(`visibility.${visibility}`)}</span><span class="narrow spoken">${t(`visibility.${visibility}`)}</span></${Badge}></span>
    <${Button} kind="plain" icon="link" label=${t("library.link-of", { name })} disabled=${!share.link} act=${() => onLink(share)} />
    <${Menu} label=${t("library.more-of", { name })} items=${items} />
  `;
}
