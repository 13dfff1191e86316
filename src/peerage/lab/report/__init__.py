"""What people see of an experiment: plots and a page."""
