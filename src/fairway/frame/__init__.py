"""The plumbing every feature stands on: settings, logs, metrics, keys, sealing, rights, database, web.

Nothing in here knows a feature.  Imports go down only:
web → events → access → db → keys → sealing | metrics | log → settings | clock → core.
"""
