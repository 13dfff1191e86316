// What can be done with a transfer, wherever it is shown.

import { post, put } from "../core/api.js";
import { refresh, transfers } from "../core/store.js";
import { attempt } from "../core/toasts.js";
import { t } from "../core/words.js";
import { confirm } from "../parts/dialog.js";

export const ACTIVE = ["running", "finding", "checking"];
export const UNDER_WAY = [...ACTIVE, "queued"];
export const ENDED = ["done", "failed", "cancelled"];

const act = (transfer, what, body) =>
  attempt(async () => transfers.put(await post(["transfers", transfer.content_id, what], body)));

export const pause = (transfer) => act(transfer, "pause");
export const resume = (transfer) => act(transfer, "resume");
export const setPriority = (transfer, level) => act(transfer, "priority", { level });
export const chooseFiles = (transfer, files) => act(transfer, "files", { files });
export const setLimit = (transfer, down) =>
  attempt(async () => transfers.put(await put(["transfers", transfer.content_id, "limit"], { down })));

/** Move it within the queue; the places of others change with it. */
export const move = (transfer, to) =>
  attempt(async () => {
    await post(["transfers", transfer.content_id, "move"], { to });
    await refresh("transfers");
  });

/** Stop it and delete what was downloaded in part; asks first. */
export async function cancel(transfer) {
  const sure = await confirm({
    title: t("transfers.cancel.title"),
    text: t("transfers.cancel.text", { name: transfer.name }),
    action: t("transfers.cancel"),
  });
  if (sure) await act(transfer, "cancel");
}

/** Take one that has ended off the list; its files stay. */
export const forget = (transfer) =>
  attempt(async () => {
    await post(["transfers", transfer.content_id, "forget"]);
    transfers.drop(transfer.content_id);
  });

export const forgetFinished = () =>
  attempt(async () => {
    await post("transfers/forget-finished");
    await refresh("transfers");
  });
