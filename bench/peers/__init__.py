"""What a user would write instead, to be measured beside Driftline."""
