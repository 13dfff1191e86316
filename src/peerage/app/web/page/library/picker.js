// Looks through the folders of the computer that the node runs on, as far as its owner allowed, to choose from them.

import { html, useEffect, useRef, useState } from "../core/view.js";
import { get } from "../core/api.js";
import { size } from "../core/format.js";
import { reason } from "../core/toasts.js";
import { t } from "../core/words.js";
import { Icon, TypeIcon } from "../parts/icons.js";
import { Badge, Button, Notice } from "../parts/parts.js";
import { typeOf } from "./kinds.js";

/** `chosen` is a Set of paths; `onChosen(paths)` is called with a new one. */
export function Picker({ chosen, onChosen }) {
  const [folder, setFolder] = useState(null);
  const [fault, setFault] = useState("");
  const place = useRef(null);
  const opened = useRef(false);

  const open = async (path) => {
    try {
      const found = await get("folders", { path });
      setFault("");
      // with one folder allowed there is nothing to choose from first
      if (!path && found.entries.length === 1 && !opened.current) {
        opened.current = true;
        return await open(found.entries[0].path);
      }
      opened.current = true;
      setFolder(found);
      if (place.current) {
        place.current.scrollTop = 0;
        place.current.focus();
      }
    } catch (error) {
      setFault(reason(error));
    }
    return undefined;
  };
  useEffect(() => {
    open("");
  }, []);

  const toggle = (path) => {
    const next = new Set(chosen);
    if (!next.delete(path)) next.add(path);
    onChosen(next);
  };
  return html`<div class="stack tight picker">
    ${fault && html`<${Notice} kind="bad" icon="warn">${fault}</${Notice}>`}
    <div class="row">
      <${Button} icon="back" label=${t("library.folder-up")} disabled=${!folder || folder.parent === null} act=${() => open(folder.parent)} />
      <${Way} folder=${folder} />
      ${folder?.path && html`<label class="check"><input type="checkbox" checked=${chosen.has(folder.path)} onChange=${() => toggle(folder.path)} />${t("library.whole-folder")}</label>`}
    </div>
    <div ref=${place} class="list places" tabindex="-1" aria-busy=${folder ? undefined : "true"}>
      ${folder === null ? html`<p class="line quiet">${fault ? "" : t("loading")}</p>` : html`<${Entries} folder=${folder} chosen=${chosen} toggle=${toggle} open=${open} />`}
    </div>
  </div>`;
}

function Way({ folder }) {
  return html`<code class="grow way" title=${folder?.path || undefined}><bdi>${folder?.path || t("library.all-folders")}</bdi></code>`;
}

function Entries({ folder, chosen, toggle, open }) {
  if (!folder.entries.length) return html`<p class="line quiet">${t("library.folder-empty")}</p>`;
  const whole = chosen.has(folder.path);
  return html`<ul aria-label=${folder.path || t("library.all-folders")}>
      ${folder.entries.map((entry) => html`<${Entry} key=${entry.path} entry=${entry} whole=${whole} chosen=${chosen.has(entry.path)} toggle=${toggle} open=${open} />`)}
    </ul>
    ${folder.more && html`<p class="line quiet">${t("library.folder-more")}</p>`}`;
}

function Entry({ entry, whole, chosen, toggle, open }) {
  const { name, path, kind, shared } = entry;
  return html`<li class=${`line ${chosen || whole ? "chosen" : ""}`}>
    <input
      type="checkbox"
      aria-label=${t("library.choose", { name })}
      checked=${chosen || whole}
      disabled=${whole}
      onChange=${() => toggle(path)}
    />
    ${kind === "folder"
      ? html`<button type="button" class="button plain grow opens" onClick=${() => open(path)}>
          <${Icon} name="folder" /><span class="cut">${name}</span><${Icon} name="chevron" />
        </button>`
      : html`<span class="row grow file"><${TypeIcon} type=${typeOf(entry)} /><span class="cut">${name}</span></span>
          <span class="number small quiet">${size(entry.size)}</span>`}
    ${shared && html`<${Badge} kind="good">${t("library.shared-already")}</${Badge}>`}
  </li>`;
}
