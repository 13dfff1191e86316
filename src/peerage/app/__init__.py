"""The program round the framework: the node, its home folder, the daemon, its local API and the command line."""
