"""A simulated network: a pure model, profiles as data, a UDP relay (docs/network.md)."""
