"""Sound on the wire: Opus, the receive path, playout."""
