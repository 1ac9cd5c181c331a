"""Server: the HTTP door. OpenAI's `/v1/embeddings`, reranking, and the verbs of a database's collections. Computes nothing."""
