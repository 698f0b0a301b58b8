"""Settings as an operator meets them.

    option       one setting: its flag, variable, default and meaning; how its text is read
    environment  reads the variables, and finds those that are no setting's
    flags        the options of the command line
    reading      command line and environment to settings, or what is wrong with them
    page         the table of ``docs/settings.md``

All of it is generated from the fields of ``app.settings.Settings``.
"""
