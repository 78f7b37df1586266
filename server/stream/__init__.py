"""The door `/v1/stream`: rows in, decisions out, over a websocket."""
