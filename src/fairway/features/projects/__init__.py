"""Projects: the tenants of the registry, the first part of every repository's name, and who belongs to them."""
