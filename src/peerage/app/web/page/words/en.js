// English; one file for the frame and what is shared, one for each view.

import frame from "./en/frame.js";
import home from "./en/home.js";
import library from "./en/library.js";
import network from "./en/network.js";
import search from "./en/search.js";
import settings from "./en/settings.js";
import transfers from "./en/transfers.js";

export default { ...frame, ...home, ...library, ...network, ...search, ...settings, ...transfers };
