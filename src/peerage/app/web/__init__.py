"""The web page of a node: `page/` is what a browser gets, `pages.py` hands it out.

The page is a client of the local API like any other: it holds no secret, and whoever may not ask the API sees a page
that asks for a key. There is no build step: browsers load the modules of `page/` as they lie here.

    page/index.html   the frame               page/vendor/   libraries, pinned in contrib/vendor_modules.py
    page/app.js       starts, routes          page/style/    tokens first, then one sheet a topic
    page/core/        API, events, state      page/words/    every sentence, one file a language
    page/parts/       what views are made of  page/VIEW/     one folder for each of the six views
"""
