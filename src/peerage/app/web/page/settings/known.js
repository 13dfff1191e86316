// Which setting stands in which section, and how it is typed in. What the node knows and this list does not, shows up by
// its name in the section that fits best; its type then says how it is typed in.

/** Sections as they follow each other; `owner`: only who may administer sees it. */
export const SECTIONS = [
  { name: "page", icon: "sun" },
  { name: "node", icon: "peers", owner: true },
  { name: "finding", icon: "search", owner: true },
  { name: "speed", icon: "speed", owner: true },
  { name: "schedule", icon: "clock", owner: true },
  { name: "files", icon: "folder", owner: true },
  { name: "keys", icon: "key", owner: true },
  { name: "remote", icon: "network", owner: true },
  { name: "old", icon: "clock", owner: true },
  { name: "log", icon: "document", owner: true },
  { name: "about", icon: "info" },
];

const KNOWN = {
  node: ["listen", "api", "network", "secret_file"],
  finding: ["lan", "connect", "overlay", "serve_index", "index", "browse"],
  speed: ["limits.down", "limits.up", "limits.upload_slots", "limits.downloads_at_once"],
  schedule: ["schedule.on", "schedule.down", "schedule.up", "schedule.hours"],
  files: ["downloads", "folders"],
  remote: ["remote.listen", "remote.certificate", "remote.key", "remote.names"],
  old: ["classic", "classic_connect"],
  log: ["log.level", "log.format"],
};

const BY_PREFIX = {
  limits: "speed",
  schedule: "schedule",
  downloads: "files",
  transfers: "files",
  folders: "files",
  remote: "remote",
  classic: "old",
  log: "log",
  index: "finding",
  search: "finding",
};

const KINDS = {
  "limits.down": "rate",
  "limits.up": "rate",
  "schedule.down": "rate",
  "schedule.up": "rate",
  "schedule.hours": "hours",
};

/** The choices of those that are one of a few. */
export const CHOICES = {
  overlay: ["auto", "index", "flood", "supernode", "dht"],
  browse: ["everyone", "friends", "nobody"],
  "log.level": ["debug", "info", "warning", "error"],
  "log.format": ["text", "json"],
};

/** Numbers that have bounds, as the node has them. */
export const BOUNDS = {
  "limits.upload_slots": [1, 1000],
  "limits.downloads_at_once": [0, 16],
};

export const MOST_RATE = 2 ** 40; // bytes a second

const SECTION_OF = new Map(Object.entries(KNOWN).flatMap(([section, names]) => names.map((name) => [name, section])));

export const sectionOf = (name) => SECTION_OF.get(name) ?? BY_PREFIX[name.split(/[._]/)[0]] ?? "node";

/** How a setting is typed in: switch, choice, rate, hours, number, lines or text. */
export function kindOf({ name, default: usual }) {
  if (name in KINDS) return KINDS[name];
  if (name in CHOICES) return "choice";
  if (typeof usual === "boolean") return "switch";
  if (typeof usual === "number") return "number";
  return Array.isArray(usual) ? "lines" : "text";
}

/** The settings of a section: those that are known in their order, then others. */
export function settingsOf(section, entries) {
  const order = KNOWN[section] ?? [];
  const place = ({ name }) => (order.includes(name) ? order.indexOf(name) : order.length);
  return entries.filter(({ name }) => sectionOf(name) === section).sort((one, other) => place(one) - place(other));
}
