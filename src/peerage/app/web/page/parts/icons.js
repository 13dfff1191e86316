// Line drawings of 24 by 24, in the colour of the text beside them; a reader is told nothing of them.

import { html } from "../core/view.js";

const PATHS = {
  peers: "M12 5.5a2 2 0 1 0 0-.01M5 18a2 2 0 1 0 0-.01M19 18a2 2 0 1 0 0-.01M11 7.2 6.2 16M13 7.2l4.8 8.8M7.2 18h9.6",
  home: "M4 11 12 4l8 7v8a1 1 0 0 1-1 1h-4.5v-6h-5v6H5a1 1 0 0 1-1-1z",
  search: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14M16.2 16.2 20 20",
  transfers: "M8 4v14M4.5 14.5 8 18l3.5-3.5M16 20V6M12.5 9.5 16 6l3.5 3.5",
  library: "M4 6a1 1 0 0 1 1-1h4.5l2 2.5H19a1 1 0 0 1 1 1V18a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1z",
  network: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16M4 12h16M12 4c2.5 2.2 3.5 5 3.5 8s-1 5.8-3.5 8M12 4c-2.5 2.2-3.5 5-3.5 8s1 5.8 3.5 8",
  settings: "M5 7h8M17 7h2M5 17h2M11 17h8M15 5a2 2 0 1 0 0 4 2 2 0 0 0 0-4M9 15a2 2 0 1 0 0 4 2 2 0 0 0 0-4",
  down: "M12 5v13M6.5 12.5 12 18l5.5-5.5",
  up: "M12 19V6M6.5 11.5 12 6l5.5 5.5",
  play: "M8 5.5v13l10.5-6.5z",
  pause: "M8.5 5.5v13M15.5 5.5v13",
  stop: "M7 7h10v10H7z",
  cross: "M6 6l12 12M18 6 6 18",
  check: "M5 12.5 10 17.5 19.5 7",
  plus: "M12 5v14M5 12h14",
  more: "M5.5 11.5v1h-.5v-1zM12 11.5v1h-.5v-1zM18.5 11.5v1H18v-1z",
  warn: "M12 4.5 21 19.5H3zM12 10.5v4M12 17h.01",
  info: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16M12 11v5M12 8h.01",
  link: "M10 14a4 4 0 0 0 5.7 0l3-3A4 4 0 0 0 13 5.300l-1.2 1.2M14 10a4 4 0 0 0-5.7 0l-3 3A4 4 0 0 0 11 18.700l1.2-1.2",
  copy: "M9 9h10v10H9zM5 15V5h10",
  qr: "M5 5h5v5H5zM14 5h5v5h-5zM5 14h5v5H5zM14 14h2v2M19 14v5h-5v-2",
  friend: "M12 19.5S4.5 15 4.5 9.700A4 4 0 0 1 12 7.8a4 4 0 0 1 7.5 1.900c0 5.3-7.5 9.8-7.5 9.8z",
  ban: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16M6.5 6.5l11 11",
  folder: "M4 6a1 1 0 0 1 1-1h4.5l2 2.5H19a1 1 0 0 1 1 1V18a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1z",
  file: "M7 4h7l4 4v12H7zM14 4v4h4",
  audio: "M9.5 17.5V6l9-1.5v11.5M7 15a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5M16 13.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5",
  video: "M4 6h16v12H4zM10.5 9.5v5l4-2.5z",
  image: "M4 5h16v14H4zM8.5 8.5a1.2 1.2 0 1 0 0 2.4 1.2 1.2 0 0 0 0-2.400M4 16l4.5-4 3.5 3 3-2.5 5 4.5",
  document: "M7 4h7l4 4v12H7zM14 4v4h4M9.5 12h6M9.5 15.5h6",
  text: "M6 7h12M6 11h12M6 15h8",
  archive: "M5 5h14v4H5zM6 9v10h12V9M10 12.5h4",
  program: "M4 5h16v14H4zM7.5 9.5 10 12l-2.5 2.5M12 15h4",
  star: "M12 4.5l2.3 4.8 5.2.7-3.8 3.6.9 5.2L12 16.300l-4.6 2.5.9-5.2L4.5 10l5.2-.7z",
  bell: "M6 16.5V11a6 6 0 0 1 12 0v5.5l1.5 1.5h-15zM10.5 20.5h3",
  eye: "M3 12s3.5-6 9-6 9 6 9 6-3.5 6-9 6-9-6-9-6M12 9.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5",
  shield: "M12 4l7 2.5v5.5c0 4-3 7-7 8.5-4-1.5-7-4.5-7-8.5V6.5z",
  clock: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16M12 8v4.5l3 2",
  trash: "M5 7h14M9.5 7V4.5h5V7M7 7l1 12.5h8L17 7",
  edit: "M5 19l1-4L16 5l3 3L9 18z",
  top: "M12 19V9M7 13.5 12 8.5l5 5M6 5h12",
  bottom: "M12 5v10M7 10.5l5 5 5-5M6 19h12",
  chevron: "M9 6l6 6-6 6",
  back: "M15 6l-6 6 6 6",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8M12 3v1.5M12 19.5V21M3 12h1.5M19.5 12H21M5.6 5.600l1 1M17.4 17.400l1 1M5.6 18.400l1-1M17.4 6.600l1-1",
  moon: "M19.5 14A8 8 0 1 1 10 4.5a6.5 6.5 0 0 0 9.5 9.5z",
  language: "M4 6h9M8.5 4v2M11 6c-.5 3.5-3 6.5-6.5 8M6 9c1 2.5 3 4 5.5 5M12 20l4-9.5 4 9.5M13.4 17h5.2",
  leave: "M14 5H6v14h8M11 12h9M16.5 8.5 20 12l-3.5 3.5",
  key: "M8 11a4 4 0 1 0 0 8 4 4 0 0 0 0-8M11 12.5 19.5 4M16 7.5l2.5 2.5",
  doctor: "M4 12h4l2-5 4 10 2-5h4",
  speed: "M5 18a8.5 8.5 0 1 1 14 0M12 14l4-5",
  open: "M14 5h5v5M19 5l-8 8M16 14v5H5V8h5",
  refresh: "M19 12a7 7 0 1 1-2-5M19 4v4h-4",
};

export function Icon({ name }) {
  return html`<svg
    viewBox="0 0 24 24"
    fill="none"
    stroke="currentColor"
    stroke-width="1.75"
    stroke-linecap="round"
    stroke-linejoin="round"
    aria-hidden="true"
  ><path d=${PATHS[name] ?? PATHS.file} /></svg>`;
}

const KINDS = ["audio", "video", "image", "text", "document", "archive", "program", "folder"];

/** The drawing for a kind of content as the API names it. */
export const TypeIcon = ({ type }) => html`<${Icon} name=${KINDS.includes(type) ? type : "file"} />`;
