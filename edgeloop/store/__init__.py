"""Object storage: the local S3 server, the S3 adapter, and publishing of model cards."""
