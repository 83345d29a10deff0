"""The collector's questions and changes, in SQL: functions over a connection, a page per kind of row.

What each transaction locks, and in which order, is said in collect.py, which puts them together.
"""
