"""The distribution API as it is spoken over HTTP: server, client, and the pure pieces both are made of."""
