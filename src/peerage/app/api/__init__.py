"""The local API: everything the node can do, over HTTP on 127.0.0.1.

Every route but login needs `Authorization: Bearer TOKEN` (the owner's token in the home folder, or a key) or the cookie
of a session, a Host header that names a loopback address, and no foreign Origin; what each role may do is in
`permissions.py`. Bodies are JSON, at most 256 KiB. An answer that is not a success has a `Problem` as its body: 400 bad
input, 401 no or a wrong token, 403 wrong Host or Origin, or not for this role, 404 no such thing, 405 wrong method, 409
not in this state, 413 body too large, 429 too many requests or guesses, 502 another peer failed, 503 a limit was
reached, 507 the disk refused.

Streams (marked ~) are JSON lines (`application/x-ndjson`), one tagged object a line; with `Accept: text/event-stream`
the same objects come as server-sent events, whose `event` is the tag. A problem before the first line has its own
status; one after it ends the stream with a line `{"event": "problem", "error": ..., "kind": ...}`. Empty lines are
keep-alives. The names of all bodies are those of `models.py`.

    GET    /api/v1/status                       Status
    GET    /api/v1/id                           Identity
    GET    /api/v1/doctor                       list[Check] of `doctor_models.py`: how everything is, and what to do
    POST   /api/v1/down                         Done; the daemon stops in order after it has answered

    GET    /api/v1/events?kinds=K,K&after=ID    what changes in this node: NodeEvents of `event_models.py`, always as
                                                  server-sent events; goes on behind Last-Event-ID

    GET    /enter?code=C                        303 with the cookie of a session; C: of a link that was just made
    POST   /api/v1/link                         EntranceLink, status 201
    POST   /api/v1/login            LoginBody   Done, with the cookie of a session
    POST   /api/v1/leave                        Done; the session ends
    GET    /api/v1/me                           Me: who asks, and what he may do
    GET    /api/v1/keys                         list[KeyEntry]; their bodies are in `access_models.py`
    POST   /api/v1/keys               KeyBody   NewKey, status 201; it is shown this once
    POST   /api/v1/keys/remove  RemoveKeyBody   KeyEntry
    POST   /api/v1/keys/password PasswordBody   Done

    GET    /api/v1/shares                       list[Share]
    POST   /api/v1/shares            ShareBody  ~ ShareProgress..., then Shared or ShareFailed for each path
    POST   /api/v1/shares/remove   UnshareBody  list[Share], those taken back
    GET    /api/v1/folders?path=P               Folder of `folder_models.py`: what is in a folder of this computer, as
                                                  far as `folders` allows; P: absolute, "" lists those folders
    PUT    /api/v1/dropped/NAME?visibility=V    Share, status 201; the body is the file itself, Content-Length is needed
    GET    /api/v1/qr?text=T                    the text as a QR code, image/svg+xml
    GET    /api/v1/link?target=T                ContentLink; T: path, content id or its beginning, or name of a share

    GET    /api/v1/search?q=Q&limit=N&timeout=S ~ HitFound..., then SearchEnded; 400 with `position` for a bad query
             &max_messages=M&max_bytes=B

    GET    /api/v1/transfers                    list[Transfer]
    POST   /api/v1/transfers           GetBody  Transfer, status 201
    GET    /api/v1/transfers/T                  Transfer; T: content id, its unique beginning, or the name
    GET    /api/v1/transfers/T/progress         ~ TransferEvent, now and when it changes; ends when it is done, failed,
                                                  paused or cancelled
    GET    /api/v1/transfers/T/pieces?cells=N   PieceMap of `insight_models.py`, in at most N cells
    POST   /api/v1/transfers/T/pause            Transfer
    POST   /api/v1/transfers/T/resume           Transfer
    POST   /api/v1/transfers/T/cancel           Transfer; what was downloaded in part is deleted
    POST   /api/v1/transfers/T/forget           Transfer that has ended and is off the list now; its files stay
    POST   /api/v1/transfers/forget-finished    Forgotten; all that are complete
    POST   /api/v1/transfers/T/move   MoveBody  Transfer; these bodies are in `transfer_models.py`
    PUT    /api/v1/transfers/T/limit  TransferLimitBody  Transfer
    POST   /api/v1/transfers/T/priority PriorityBody  Transfer; of its files, when there is an `only`
    POST   /api/v1/transfers/T/files  FilesBody  Transfer
    GET    /api/v1/transfers/T/sources          list[TransferSource], those that send first

    GET    /api/v1/files/C                      list[ContentFile]; C: a whole content id, of a share or a transfer
    GET    /api/v1/content/C[/PATH]?save=true   the file itself, also HEAD; Range, If-Range, If-None-Match; PATH: inside
                                                  a folder; waits for what is still being downloaded

    GET    /api/v1/peers                        list[PeerEntry], connected ones first
    POST   /api/v1/peers/connect   ConnectBody  PeerEntry
    GET    /api/v1/peers/classic                list[OldPeer]: peers of 2007 that are known
    POST   /api/v1/peers/connect-classic        ConnectOldBody  list[OldPeer]
    PATCH  /api/v1/peers/P            PeerBody  PeerEntry; P: peer id or its unique beginning
    GET    /api/v1/peers/P/shares?path=F        ~ HitFound..., then BrowseEnded; F: folders with "/" between them

    GET    /api/v1/wishes                       list[Wish], the saved searches; their bodies are in `wish_models.py`
    POST   /api/v1/wishes             WishBody  Wish, status 201
    GET    /api/v1/wishes/N/results             list[WishResult], the newest first
    POST   /api/v1/wishes/N/seen                Wish; `get` takes the numbers of its results from now on
    POST   /api/v1/wishes/N/remove              Wish

    GET    /api/v1/settings                     list[SettingEntry], all that the configuration file can say
    PATCH  /api/v1/settings       SettingsBody  list[SettingEntry]; all of the changes or none
    POST   /api/v1/settings/reload              Reloaded: the file was read again, for what was changed in it by hand
    GET    /api/v1/limits                       RateLimits
    PUT    /api/v1/limits           LimitsBody  RateLimits

    GET    /api/v1/demo                         Demo of `demo_models.py`: a small network on this computer, to try
    POST   /api/v1/demo                         Demo; it starts in the background, for this node alone
    DELETE /api/v1/demo                         Demo; it has stopped, and its nodes are forgotten

    GET    /api/v1/statistics                   Statistics since the start
    GET    /api/v1/uploads                      list[UploadEntry]: what went to whom since the start, the latest first
    GET    /api/v1/logs?lines=N&level=L         list[LogEntry], the last ones of at least this level
    GET    /api/v1/metrics                      Prometheus text
    GET    /api/v1/openapi.json                 OpenAPI 3.1

Client side, for a command line: `Home.at(path).running()` says whether a daemon of that home answers and where
(`DaemonInfo.api`), `Home.token()` gives the token; `app.daemon.temporary(home)` runs a node with its API for the
duration of one command and gives the same.
"""
