"""Points on their way between files, other servers and a server: over HTTP, never by the engine.

    client      the calls of a server, again where it has no room
    numbers     vectors as numbers, where they have to be
    rows        one point of a source as the server reads it, or what is wrong with it
    shapes      what kinds of vectors a source holds, and whether a collection takes them
    mapping     which column is the id, which are vectors, which are payload
    sources     opens a source by its name: a module for each kind reads it (``from_*``)
    batches     rows to bodies of a request
    sending     bodies to a server, several at once, the last write of a point last
    refusals    what to do with a body that the server refuses: name the row, or do without it
    state       how far an import is, on disk
    importing   the story of an import
    exporting   the story of an export: a spool of lines, and what is made of it (``to_*``)
    progress    the bar, where someone may look at it

A *place* is the number of a row in its source, from 0 on.
"""
