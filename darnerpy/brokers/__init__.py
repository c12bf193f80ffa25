"""All queues by name, behind one interface."""
