"""`cutover verify`: the same requests to two backends, and what differs in their answers."""
