// What went from here to whom since the node was started; read again while one looks at it, for no event tells of it.

import { html, useEffect, useMemo, useState } from "../core/view.js";
import { get } from "../core/api.js";
import { ago, date, short, size } from "../core/format.js";
import { shares, statistics, transfers } from "../core/store.js";
import { reason } from "../core/toasts.js";
import { t } from "../core/words.js";
import { Icon } from "../parts/icons.js";
import { Empty, Notice, Segments } from "../parts/parts.js";
import { Rows } from "../parts/rows.js";

const EVERY = 3000; // milliseconds
const GROUPS = ["latest", "content", "peer"];

export function Uploads() {
  const [entries, setEntries] = useState(null);
  const [fault, setFault] = useState("");
  const [group, setGroup] = useState("latest");
  useEffect(() => {
    let seen = -1;
    const read = async () => {
      const sent = statistics.peek().up;
      if (document.hidden || sent === seen) return; // nothing went since
      try {
        setEntries(await get("uploads"));
        setFault("");
        seen = sent;
      } catch (error) {
        setFault(reason(error));
      }
    };
    read();
    const timer = setInterval(read, EVERY);
    return () => clearInterval(timer);
  }, []);

  const names = useNames();
  const shown = useMemo(() => grouped(entries ?? [], group), [entries, group]);
  if (fault) return html`<${Notice} kind="bad" icon="warn">${fault}</${Notice}>`;
  if (entries === null) return html`<p class="quiet">${t("loading")}</p>`;
  if (!entries.length) return html`<${Empty} icon="up" title=${t("library.no-uploads")} text=${t("library.no-uploads-text")} />`;
  const sum = entries.reduce((total, entry) => total + entry.bytes, 0);
  const options = GROUPS.map((each) => [each, t(`library.group.${each}`)]);
  const line = (entry) => html`<${Line} entry=${entry} group=${group} names=${names} />`;
  return html`
    <div class="row wrap spread tools">
      <${Segments} label=${t("library.group")} value=${group} options=${options} onChange=${setGroup} />
      <span class="quiet">${t("library.uploaded-sum", { size: size(sum), n: new Set(entries.map((entry) => entry.peer_id)).size })}</span>
    </div>
    <${Rows} key=${group} items=${shown} keyOf=${(entry) => entry.key} line=${line} label=${t("library.uploads")} />
    <p class="quiet small sum">${t("library.since-start")}</p>
  `;
}

/** What contents are called, as far as this page knows. */
function useNames() {
  const [known, done] = [shares.changed.value, transfers.changed.value];
  return useMemo(() => {
    const names = new Map();
    for (const list of [transfers, shares]) {
      for (const { content_id: id, name } of list.items.values()) if (id) names.set(id, name);
    }
    return names;
  }, [known, done]);
}

/** Entries, or their sums by content or by peer: {key, content_id, peer_id, name, bytes, last, parts}. */
function grouped(entries, group) {
  if (group === "latest") {
    return entries.map((entry) => ({ ...entry, key: `${entry.peer_id}/${entry.content_id}/${entry.began}` }));
  }
  const keyOf = (entry) => (group === "peer" ? entry.peer_id : entry.content_id);
  const sums = new Map();
  for (const entry of entries) {
    const key = keyOf(entry);
    const sum = sums.get(key) ?? { ...entry, key, bytes: 0, last: 0, parts: new Set() };
    sum.bytes += entry.bytes;
    sum.last = Math.max(sum.last, entry.last);
    sum.parts.add(group === "peer" ? entry.content_id : entry.peer_id);
    sums.set(key, sum);
  }
  return [...sums.values()].sort((one, other) => other.bytes - one.bytes);
}

function Line({ entry, group, names }) {
  const content = names.get(entry.content_id) ?? t("library.content-of", { id: short(entry.content_id) });
  const peer = entry.name || short(entry.peer_id);
  const second = {
    latest: () => t("library.to", { peer }),
    content: () => t("peers", { n: entry.parts.size }),
    peer: () => t("library.contents", { n: entry.parts.size }),
  }[group]();
  return html`
    <span class="kind"><${Icon} name=${group === "peer" ? "peers" : "up"} /></span>
    <div class="grow names">
      <span class="cut" title=${group === "peer" ? entry.peer_id : entry.content_id}>${group === "peer" ? peer : content}</span>
      <span class="small quiet cut" title=${entry.peer_id}>${second}</span>
    </div>
    <span class="small quiet number" title=${date(entry.last)}>${ago(entry.last)}</span>
    <span class="number size">${size(entry.bytes)}</span>
  `;
}
