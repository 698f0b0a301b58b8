"""Copies of collections in one file each: made beside writes, proven, and put in place again.

Know how such a file is laid out, where they are kept, and what has to hold before one is served;
hold nothing but what is under way. Files that come from elsewhere are taken for hostile. May import
everything that opens and checks the files of a collection: ``upkeep``, ``write``, ``checks`` and
what they import; not ``Collection``.
"""
