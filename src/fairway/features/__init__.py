"""What the product does, one folder per feature, with fixed file names.

model.py holds frozen values, rules.py pure decisions, store.py the SQL, api.py the HTTP.  A missing file says what a
feature does not do.
"""
