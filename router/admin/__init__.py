"""The admin API: a Starlette app over `Control`, on its own port. The only part that may import Starlette."""
