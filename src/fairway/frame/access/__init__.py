"""Who may do what: principals, the permission catalogue, the roles, and one pure question, `may`."""
