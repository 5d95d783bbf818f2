"""Messages to customers, sent once each."""
