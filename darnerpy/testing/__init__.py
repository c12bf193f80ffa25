"""For tests: a real server to test against, and judges of what concurrent clients were told."""
