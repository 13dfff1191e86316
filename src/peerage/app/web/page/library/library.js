// The view "library": what this node shares, with whom, and what was uploaded to whom. A file that is dropped anywhere
// on it is sent to the node and shared.

import { html, useEffect, useRef, useState } from "../core/view.js";
import { go, route } from "../core/route.js";
import { may, shares } from "../core/store.js";
import { say } from "../core/toasts.js";
import { t } from "../core/words.js";
import { Icon } from "../parts/icons.js";
import { Button, Empty, Segments, ViewHead } from "../parts/parts.js";
import { AddDialog } from "./add.js";
import { Shares } from "./shares.js";
import { UnderWay } from "./under_way.js";
import { Uploads } from "./uploads.js";

export function Library() {
  const { add, show } = route.value.query;
  const [files, setFiles] = useState([]);
  const mayShare = may("share");
  const over = useDrop(mayShare, (dropped) => {
    setFiles((before) => [...before, ...dropped]);
    go("library", { ...route.value.query, add: "1" });
  });
  const close = () => {
    setFiles([]);
    go("library", { ...route.value.query, add: "" }, { replace: true });
  };
  const uploads = show === "uploads" && may("administer");
  const parts = [
    ["", t("library.shares")],
    ["uploads", t("library.uploads")],
  ];
  return html`<div class="library stack">
    <${ViewHead} title=${t("view.library")}>
      ${may("administer") && html`<${Segments} label=${t("library.parts")} value=${uploads ? "uploads" : ""} options=${parts} onChange=${(part) => go("library", { show: part })} />`}
      ${mayShare && html`<${Button} kind="main" icon="plus" act=${() => go("library", { ...route.value.query, add: "1" })}>${t("library.share")}</${Button}>`}
    </${ViewHead}>
    <${UnderWay} />
    ${uploads ? html`<${Uploads} />` : html`<${Shared} mayShare=${mayShare} />`}
    ${over && html`<div class="drop-here" aria-hidden="true"><div><${Icon} name="plus" />${t("library.drop-here")}</div></div>`}
    ${add && mayShare && html`<${AddDialog} files=${files} setFiles=${setFiles} onClose=${close} />`}
  </div>`;
}

function Shared({ mayShare }) {
  if (!shares.loaded.value) return html`<p class="quiet">${t("loading")}</p>`;
  if (shares.size) return html`<div><${Shares} /></div>`;
  if (!mayShare) return html`<${Empty} icon="library" title=${t("library.empty")} text=${t("library.empty-guest")} />`;
  return html`<div class="card">
    <${Empty} icon="library" title=${t("library.empty")} text=${t("library.empty-text")}>
      <${Button} kind="main" icon="folder" act=${() => go("library", { add: "1" })}>${t("library.empty-pick")}</${Button}>
    </${Empty}>
    <ul class="points">
      ${["stays", "who", "back"].map((each) => html`<li><${Icon} name=${{ stays: "folder", who: "eye", back: "leave" }[each]} /><span>${t(`library.empty.${each}`)}</span></li>`)}
    </ul>
  </div>`;
}

/** Take files that are dropped anywhere on the window; gives whether some hover over it now. */
function useDrop(wanted, onFiles) {
  const [over, setOver] = useState(false);
  const take = useRef(onFiles);
  take.current = onFiles;
  useEffect(() => {
    if (!wanted) return undefined;
    let depth = 0; // a child that is entered is told before its parent is left
    const carries = (event) => event.dataTransfer?.types.includes("Files");
    const enter = (event) => {
      if (!carries(event)) return;
      depth += 1;
      setOver(true);
    };
    const leave = (event) => {
      if (!carries(event)) return;
      depth = Math.max(0, depth - 1);
      if (!depth) setOver(false);
    };
    const hover = (event) => carries(event) && event.preventDefault();
    const drop = (event) => {
      depth = 0;
      setOver(false);
      if (!carries(event)) return;
      event.preventDefault();
      const { files, folders } = filesOf(event.dataTransfer);
      if (folders) say(t("library.no-folders"), "bad");
      if (files.length) take.current(files);
    };
    const heard = { dragenter: enter, dragleave: leave, dragover: hover, drop };
    for (const [name, listener] of Object.entries(heard)) addEventListener(name, listener);
    return () => {
      for (const [name, listener] of Object.entries(heard)) removeEventListener(name, listener);
    };
  }, [wanted]);
  return over;
}

/** What was dropped, without the folders, of which a browser gives no content. */
function filesOf(transfer) {
  const entries = [...transfer.items].filter((item) => item.kind === "file");
  const isFolder = (item) => item.webkitGetAsEntry?.()?.isDirectory ?? false;
  const files = entries.filter((item) => !isFolder(item)).map((item) => item.getAsFile());
  return { files: files.filter(Boolean), folders: entries.some(isFolder) };
}
