"""gRPC, and the only code of the backend that knows it: the answers to the ingestion service, and reading from it."""
