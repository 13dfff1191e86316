// What no event tells of is asked for now and then, while it is shown and somebody looks.

import { useEffect, useState } from "./view.js";
import { get } from "./api.js";

/** The answer of a route, asked again every `seconds`; null until the first has come, or when `path` is null. */
export function usePoll(path, { seconds = 2, query = {} } = {}) {
  const [answer, setAnswer] = useState(null);
  const asked = path === null ? "" : JSON.stringify([path, query]);
  useEffect(() => {
    setAnswer(null);
    if (!asked) return;
    const stop = new AbortController();
    let timer = 0;
    const ask = async () => {
      try {
        if (!document.hidden) setAnswer(await get(path, query, { signal: stop.signal }));
      } catch {
        // it is asked again; what is wrong with the node is said elsewhere
      }
      if (!stop.signal.aborted) timer = setTimeout(ask, seconds * 1000);
    };
    ask();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [asked, seconds]);
  return answer;
}
