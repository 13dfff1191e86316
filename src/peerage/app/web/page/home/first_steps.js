// What to do first, for somebody who has never used such a thing; it goes away by itself when all of it is done.

import { html, signal, useState } from "../core/view.js";
import { post, remove } from "../core/api.js";
import { go } from "../core/route.js";
import { may, peers, refresh, shares, transfers } from "../core/store.js";
import { usePoll } from "../core/poll.js";
import { attempt } from "../core/toasts.js";
import { t } from "../core/words.js";
import { ConnectDialog } from "../parts/friend.js";
import { Icon } from "../parts/icons.js";
import { Button, Notice } from "../parts/parts.js";

const KEPT = "peerage.first-steps";
const hidden = signal(localStorage.getItem(KEPT) === "hidden");

export function FirstSteps() {
  const [connecting, setConnecting] = useState(false);
  if (!may("share") || !peers.loaded.value) return null;
  const steps = [
    { name: "share", icon: "folder", done: shares.size > 0, act: () => go("library", { add: "1" }) },
    { name: "friend", icon: "friend", done: peers.all().some(({ friend }) => friend), act: () => setConnecting(true), needs: "administer" },
    { name: "search", icon: "search", done: transfers.size > 0, act: () => go("search") },
  ].filter(({ needs }) => !needs || may(needs));
  const all = steps.every(({ done }) => done);
  const hide = () => {
    localStorage.setItem(KEPT, "hidden");
    hidden.value = true;
  };
  return html`
    ${!hidden.value &&
    !all &&
    html`<section class="card first-steps">
      <div class="row spread"><h2>${t("first.title")}</h2><${Button} kind="plain" icon="cross" label=${t("first.hide")} act=${hide} /></div>
      <p class="quiet">${t("first.text")}</p>
      <ol class="steps">
        ${steps.map(
          ({ name, icon, done, act }) => html`<li class=${done ? "step done" : "step"}>
            <${Icon} name=${done ? "check" : icon} />
            <h3>${t(`first.${name}`)}</h3>
            <p class="small quiet">${t(`first.${name}.text`)}</p>
            <${Button} act=${act} kind=${done ? "" : "main"}>${t(`first.${name}.act`)}</${Button}>
          </li>`,
        )}
      </ol>
    </section>`}
    ${may("administer") && html`<${Demo} wanted=${!hidden.value && !all} />`}
    ${connecting && html`<${ConnectDialog} onClose=${() => setConnecting(false)} />`}
  `;
}

/** A network of a few made-up nodes on this computer, to try everything with. */
function Demo({ wanted }) {
  const [told, setTold] = useState(null);
  const asked = usePoll("demo", { seconds: told?.state === "starting" ? 1 : 10 });
  const demo = asked ?? told;
  if (!demo || (demo.state === "off" && !wanted)) return null;
  const start = () => attempt(async () => setTold(await post("demo")));
  const stop = () =>
    attempt(async () => {
      setTold(await remove("demo"));
      await refresh("peers");
    });
  if (demo.state === "off" || demo.state === "failed") {
    return html`<${Notice} icon="peers">
      <div class="row wrap spread"><p class="grow demo-text"><strong>${t("demo.title")}</strong> ${demo.error || t("demo.text")}</p>
        <${Button} act=${start}>${t("demo.start")}</${Button}></div>
    </${Notice}>`;
  }
  return html`<${Notice} kind="good" icon="peers">
    <div class="stack tight">
      <div class="row wrap spread"><p class="grow demo-text">${demo.state === "starting" ? t("demo.starting") : t("demo.running", { n: demo.peers })}</p>
        <${Button} act=${stop}>${t("demo.stop")}</${Button}></div>
      ${demo.state === "running" && html`<div class="row wrap">${demo.searches.map((word) => html`<${Button} icon="search" act=${() => go("search", { q: word })}>${word}</${Button}>`)}</div>`}
    </div>
  </${Notice}>`;
}
