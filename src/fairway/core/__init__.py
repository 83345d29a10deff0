"""Images, the places they live in, and the wire between them: no users, no projects, no database.

Nothing in here imports the rest of Fairway. Imports go down only: wire → content → stores → tokens → oci.
"""
