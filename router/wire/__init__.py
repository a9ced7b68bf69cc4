"""Pure HTTP/1.1 rules: bytes in, decisions and bytes out. No asyncio, no sockets, no clocks, no parser library."""
