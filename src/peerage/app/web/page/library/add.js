// The window to share something: chosen from the folders of the node's computer, by a path, or sent from this device.

import { html, useEffect, useRef, useState } from "../core/view.js";
import { size } from "../core/format.js";
import { t } from "../core/words.js";
import { Dialog } from "../parts/dialog.js";
import { Button, Field, Segments } from "../parts/parts.js";
import { Picker } from "./picker.js";
import { Visibility } from "./visibility.js";
import { sendFiles, sharePaths } from "./work.js";

const KEPT = "peerage.visibility"; // what was chosen last
const LISTED = 8;

/** `files`: those of this device; when some are dropped, the window shows them. */
export function AddDialog({ files, setFiles, onClose }) {
  const [way, setWay] = useState("browse");
  const [chosen, setChosen] = useState(new Set());
  const [text, setText] = useState("");
  const [visibility, setVisibility] = useState(localStorage.getItem(KEPT) ?? "public");

  useEffect(() => {
    if (files.length) setWay("device");
  }, [files.length]);
  const typed = text.split("\n").map(cleaned).filter(Boolean);
  const wrong = typed.find((path) => !path.startsWith("/"));
  const count = { browse: chosen.size, path: typed.length, device: files.length }[way];
  const share = () => {
    localStorage.setItem(KEPT, visibility);
    if (way === "device") sendFiles(files, visibility);
    else sharePaths(way === "browse" ? without(chosen) : typed, visibility);
    onClose();
  };
  const foot = html`
    <${Button} act=${onClose}>${t("cancel")}</${Button}>
    <${Button} kind="main" disabled=${!count || (way === "path" && wrong)} act=${share}>
      ${count ? t(way === "device" ? "library.send" : "library.share-chosen", { n: count }) : t("library.share")}
    </${Button}>
  `;
  const ways = ["browse", "path", "device"].map((each) => [each, t(`library.way.${each}`)]);
  return html`<${Dialog} title=${t("library.add")} onClose=${onClose} foot=${foot} wide>
    <div class="stack">
      <${Segments} label=${t("library.ways")} value=${way} options=${ways} onChange=${setWay} />
      <div class="way-body stack tight">
        ${way === "browse" && html`<${Picker} chosen=${chosen} onChosen=${setChosen} />`}
        ${way === "path" && html`<${Paths} text=${text} setText=${setText} wrong=${wrong} />`}
        ${way === "device" && html`<${Device} files=${files} setFiles=${setFiles} />`}
      </div>
      <${Visibility} value=${visibility} onChange=${setVisibility} />
    </div>
  </${Dialog}>`;
}

/** A path as file managers and shells copy it: with quotes, or as a file: address. */
function cleaned(line) {
  const path = line.trim().replace(/^(["'])(.*)\1$/, "$2");
  if (!path.startsWith("file://")) return path;
  try {
    return decodeURIComponent(path.slice("file://".length));
  } catch {
    return path;
  }
}

/** What lies in a folder that is chosen, too, is shared with it. */
const without = (chosen) =>
  [...chosen].filter((path) => ![...chosen].some((other) => other !== path && path.startsWith(`${other}/`)));

function Paths({ text, setText, wrong }) {
  const input = (id, described) => html`<textarea
    id=${id}
    class="input mono"
    rows="4"
    spellcheck=${false}
    maxlength="200000"
    aria-describedby=${described}
    aria-invalid=${wrong ? "true" : undefined}
    value=${text}
    onInput=${(event) => setText(event.currentTarget.value)}
  ></textarea>`;
  const fault = wrong && t("library.not-absolute", { path: wrong });
  return html`<${Field} label=${t("library.paths")} hint=${t("library.paths-hint")} fault=${fault} input=${input} />`;
}

function Device({ files, setFiles }) {
  const input = useRef(null);
  const took = (event) => {
    setFiles([...files, ...event.currentTarget.files]);
    event.currentTarget.value = "";
  };
  const sum = files.reduce((total, file) => total + file.size, 0);
  return html`
    <p class="quiet">${t("library.device-text")}</p>
    <div class="row wrap">
      <input ref=${input} type="file" multiple hidden aria-label=${t("library.choose-files")} onChange=${took} />
      <${Button} icon="plus" act=${() => input.current.click()}>${t("library.choose-files")}</${Button}>
      ${files.length > 0 && html`<span class="quiet">${t("files", { n: files.length })}, ${size(sum)}</span>`}
    </div>
    ${files.length > 0 &&
    html`<ul class="list">
      ${files.slice(0, LISTED).map(
        (file, at) => html`<li class="line">
          <span class="cut grow">${file.name}</span>
          <span class="number small quiet">${size(file.size)}</span>
          <${Button} kind="plain" icon="cross" label=${t("library.leave-out", { name: file.name })} act=${() => setFiles(files.filter((_, other) => other !== at))} />
        </li>`,
      )}
      ${files.length > LISTED && html`<li class="line quiet">${t("library.and-more", { n: files.length - LISTED })}</li>`}
    </ul>`}
  `;
}
