"""What an agent can talk about, as data, and the small machinery that talks: intents, slots, flows."""
