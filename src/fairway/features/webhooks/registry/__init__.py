"""The operator's endpoints, told in the docker registry's own format."""
