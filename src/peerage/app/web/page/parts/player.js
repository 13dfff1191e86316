// Shows a file of this node, also while it comes in: what a browser plays is played, with seeking; pictures and texts
// are shown. The node says what a file is and forbids it to run anything; here nothing of a file becomes markup.

import { html, useEffect, useState } from "../core/view.js";
import { contentUrl } from "../core/api.js";
import { size } from "../core/format.js";
import { transfers } from "../core/store.js";
import { t } from "../core/words.js";
import { Dialog } from "./dialog.js";
import { Bar, Notice } from "./parts.js";

const TEXT_BYTES = 65_536;
const SHOWN_IMAGES = ["image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/bmp"];

/** How a file could be shown: "video", "audio", "image", "text", or "" for not at all. */
export function shownAs(mime) {
  const kind = (mime ?? "").split(";")[0];
  if (SHOWN_IMAGES.includes(kind)) return "image";
  if (kind === "text/plain") return "text";
  const medium = kind.split("/")[0];
  if (medium !== "video" && medium !== "audio") return "";
  return document.createElement(medium).canPlayType(kind) ? medium : "";
}

/** `file`: {id, path, name, mime, size}; `foot`: buttons below. */
export function Player({ file, onClose, foot }) {
  const [fault, setFault] = useState("");
  const source = contentUrl(file.id, file.path);
  const failed = () => setFault(t("player.failed"));
  const shown = {
    video: () => html`<video class="player" src=${source} controls autoplay playsinline onError=${failed} aria-label=${file.name}></video>`,
    audio: () => html`<audio class="player" src=${source} controls autoplay onError=${failed} aria-label=${file.name}></audio>`,
    image: () => html`<img class="player" src=${source} alt=${file.name} onError=${failed} />`,
    text: () => html`<${Text} source=${source} size=${file.size} onFail=${failed} />`,
  }[shownAs(file.mime)];
  return html`<${Dialog} title=${file.name} onClose=${onClose} foot=${foot} wide>
    <div class="stack">
      ${fault ? html`<${Notice} kind="warn" icon="warn">${fault}</${Notice}>` : null}
      ${shown ? shown() : html`<p>${t("player.unknown")}</p>`}
      <${Progress} id=${file.id} />
      <p><a href=${contentUrl(file.id, file.path, { save: "true" })} download=${file.name}>${t("player.save")}</a></p>
    </div>
  </${Dialog}>`;
}

function Progress({ id }) {
  const transfer = transfers.of(id);
  if (!transfer || transfer.state === "done" || !transfer.wanted) return null;
  const { done, wanted } = transfer;
  return html`<div class="stack tight">
    <${Bar} done=${done} of=${wanted} label=${t("player.progress")} />
    <span class="small quiet number">${t("player.so-far", { done: size(done), all: size(wanted) })}</span>
  </div>`;
}

function Text({ source, size: whole, onFail }) {
  const [text, setText] = useState(null);
  useEffect(() => {
    const stop = new AbortController();
    read(source, stop.signal).then(setText, (error) => error.name !== "AbortError" && onFail());
    return () => stop.abort();
  }, [source]);
  if (text === null) return html`<p class="quiet">${t("loading")}</p>`;
  return html`<pre class="text-shown" tabindex="0">${text}</pre>
    ${whole > TEXT_BYTES && html`<p class="small quiet">${t("player.beginning", { size: size(TEXT_BYTES) })}</p>`}`;
}

async function read(source, signal) {
  const answer = await fetch(source, { headers: { range: `bytes=0-${TEXT_BYTES - 1}` }, signal });
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
  return answer.text();
}
