// The files of a transfer: which of them are wanted and how soon, how much of each is here; each can be played.

import { html, useState } from "../core/view.js";
import { percent, size } from "../core/format.js";
import { usePoll } from "../core/poll.js";
import { may } from "../core/store.js";
import { t } from "../core/words.js";
import { Button } from "../parts/parts.js";
import { shownAs } from "../parts/player.js";
import { Rows } from "../parts/rows.js";
import { chooseFiles, ENDED } from "./acts.js";

const LEVELS = ["skip", "low", "normal", "high"];
const levelOf = (file) => file.level ?? (file.wanted ? "normal" : "skip");

export function Files({ transfer, onPlay }) {
  const [changed, setChanged] = useState(new Map()); // by number, until the API says so too
  const known = transfer.wanted !== null;
  const files = usePoll(known ? ["files", transfer.content_id] : null, { seconds: transfer.state === "running" ? 2 : 10 });
  if (!known) return html`<p class="quiet">${t("transfers.files.not-yet")}</p>`;
  if (files === null) return html`<p class="quiet">${t("loading")}</p>`;
  const free = may("download") && !ENDED.includes(transfer.state) && files.length > 1;
  const set = (numbers, level) => {
    setChanged(new Map([...changed, ...numbers.map((number) => [number, level])]));
    return chooseFiles(transfer, numbers.map((number) => ({ number, level })));
  };
  const all = (level) => () => set(files.map((file) => file.number), level);
  const line = (file) => html`<${File} file=${file} level=${changed.get(file.number) ?? levelOf(file)} free=${free} transfer=${transfer} onPlay=${onPlay} onChange=${(level) => set([file.number], level)} />`;
  return html`<div class="stack tight">
    ${free && html`<div class="row wrap"><${Button} act=${all("normal")}>${t("transfers.files.all")}</${Button}><${Button} act=${all("skip")}>${t("transfers.files.none")}</${Button}></div>`}
    <${Rows} items=${files} keyOf=${(file) => file.number} line=${line} label=${t("transfers.tab.files")} high="40dvh" />
  </div>`;
}

function File({ file, level, free, transfer, onChange, onPlay }) {
  const name = file.path.split("/").pop() || transfer.name;
  const play = () => onPlay({ id: transfer.content_id, path: file.path, name, mime: file.mime, size: file.size });
  return html`
    <div class="grow">
      <div class="cut">${name}</div>
      <div class="small quiet cut">${[file.path.includes("/") && file.path.slice(0, file.path.lastIndexOf("/")), `${percent(file.done, file.size || 1)} %`].filter(Boolean).join(" · ")}</div>
    </div>
    <span class="number small">${size(file.size)}</span>
    ${free &&
    html`<select class="input short" aria-label=${t("transfers.files.level", { name })} value=${level} onChange=${(event) => onChange(event.currentTarget.value)}>
      ${LEVELS.map((each) => html`<option value=${each} selected=${each === level}>${t(`transfers.level.${each}`)}</option>`)}
    </select>`}
    ${shownAs(file.mime) && level !== "skip"
      ? html`<${Button} kind="plain" icon="play" label=${t("transfers.play", { name })} act=${play} />`
      : html`<span class="no-button"></span>`}
  `;
}
