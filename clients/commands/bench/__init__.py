"""`rascanet bench`: how fast the network and the service are, beside the alternatives in the same run."""
