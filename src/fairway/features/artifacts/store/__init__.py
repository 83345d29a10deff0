"""The questions and changes of this feature, in SQL: functions over a connection, a page per kind of row.

Transactions are put together in names.py.  Rows that a decision depends on are locked in digest order: FOR KEY SHARE by those who refer to a row, FOR UPDATE
by those who remove one.
"""
