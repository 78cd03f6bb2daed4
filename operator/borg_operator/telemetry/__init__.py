"""What the operator shows of itself and of the resources, in the form of Prometheus."""
