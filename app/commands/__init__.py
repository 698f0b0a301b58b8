"""The commands of ``palimpsest`` that speak to a server over HTTP.

    arguments    what each takes
    connection   which server, by which key
    running      one command from its words to its exit status
    collections  list, info, create, delete
    snapshots    create, list, download, upload, restore, delete
    moving       import and export

What they do is in ``app.transfer``.
"""
