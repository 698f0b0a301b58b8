"""Who may do what: keys, tokens, rights, the audit log, failures and rates."""
