"""The door `/v1/classify`: picture files in, decisions out."""
