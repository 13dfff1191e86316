"""What is shared: signed records, queries over them, the database of both, and the library of this node's own files."""
