"""The targets of our integrations, each a real server on loopback that does as its documentation says.

One thing must stay true: they are written from the documentation, never from our integrations: each says where it has
a behaviour from, and refuses what its original refuses.
"""
