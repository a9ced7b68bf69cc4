"""Comparing the answers of two arms: what differs, where, whether it counts. Pure; asking them is for others."""
