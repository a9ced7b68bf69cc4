"""Signing in and out, and the session cookie that moves between both backends."""
