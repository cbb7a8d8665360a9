"""What the HTTP server is made of; `voice_agent.server` puts it together."""
