// German; one file for the frame and what is shared, one for each view.

import checks from "./de/doctor.js";
import frame from "./de/frame.js";
import home from "./de/home.js";
import library from "./de/library.js";
import network from "./de/network.js";
import search from "./de/search.js";
import settings from "./de/settings.js";
import transfers from "./de/transfers.js";

export default { checks, ...frame, ...home, ...library, ...network, ...search, ...settings, ...transfers };
