"""What the operations of the admin API do; operations.py says which path, role and models go with each."""
