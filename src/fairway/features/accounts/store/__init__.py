"""The SQL of accounts: people, failed logins, refresh tokens."""
