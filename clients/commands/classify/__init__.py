"""`rascanet classify`: pictures by the thousand, in this process or by a service."""
