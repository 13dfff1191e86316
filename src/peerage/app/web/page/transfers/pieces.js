// The pieces of a transfer as one strip of cells: what is here, what comes, what is missing, what is not wanted.

import { html, useEffect, useRef } from "../core/view.js";
import { colour } from "../core/colour.js";
import { count } from "../core/format.js";
import { usePoll } from "../core/poll.js";
import { theme } from "../core/theme.js";
import { t } from "../core/words.js";

const CELLS = 400;

export function Pieces({ transfer }) {
  const seconds = transfer.state === "running" ? 1 : 5;
  const map = usePoll(transfer.wanted === null ? null : ["transfers", transfer.content_id, "pieces"], { seconds, query: { cells: CELLS } });
  const canvas = useRef(null);
  useEffect(() => {
    if (map && canvas.current) draw(canvas.current, map);
  }, [map, theme.value]);
  const words = map && map.pieces ? t("transfers.pieces", { here: count(map.here), all: count(map.pieces) }) : t("transfers.pieces.none");
  return html`<figure class="pieces">
    <canvas ref=${canvas} width=${CELLS * 4} height="56" role="img" aria-label=${words}></canvas>
    <figcaption class="small quiet row wrap spread">
      <span class="number">${words}</span>
      <span class="row wrap legend"><span class="here">${t("transfers.pieces.here")}</span><span class="busy">${t("transfers.pieces.busy")}</span><span class="missing">${t("transfers.pieces.missing")}</span></span>
    </figcaption>
  </figure>`;
}

function draw(canvas, { cells, busy }) {
  const context = canvas.getContext("2d");
  const [here, comes, missing] = ["--down", "--up", "--sunken"].map((name) => colour(canvas, name));
  const { width, height } = canvas;
  const wide = width / Math.max(1, cells.length);
  const coming = new Set(busy);
  context.clearRect(0, 0, width, height);
  cells.forEach((percent, at) => {
    const left = Math.floor(at * wide);
    const right = Math.floor((at + 1) * wide);
    if (percent >= 0) {
      context.globalAlpha = 1;
      context.fillStyle = missing;
      context.fillRect(left, 0, right - left, height);
    }
    if (coming.has(at)) {
      context.globalAlpha = 1;
      context.fillStyle = comes;
      context.fillRect(left, 0, right - left, height);
    }
    if (percent > 0) {
      context.globalAlpha = coming.has(at) ? percent / 100 : 0.25 + (0.75 * percent) / 100;
      context.fillStyle = here;
      context.fillRect(left, 0, right - left, height);
    }
  });
  context.globalAlpha = 1;
}
