"""Who is who: peer keys and ids, networks, addresses. Knows nothing of sockets."""
