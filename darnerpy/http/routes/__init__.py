"""What can be asked over HTTP, one file a subject: parse, have it done by steps, word the result."""
