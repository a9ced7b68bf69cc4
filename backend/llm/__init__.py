"""The LLM playground: one folder for everything between a prompt and a provider's answer."""
