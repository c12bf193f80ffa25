"""The same queues over HTTP: REST, leases, metrics and a dashboard. Imported only where it is on."""
