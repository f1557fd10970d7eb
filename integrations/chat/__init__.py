"""What the chat kinds and e-mail share: what is said of events, when, and how it is kept from being markup.

One thing must stay true: everything that is said of a signature is said in `told.py`, in the words of `texts.toml`; a
kind only lays it out.
"""
