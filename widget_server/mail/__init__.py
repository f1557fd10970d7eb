"""Mails as they leave: their form (`message`), their looks (`layout`), and the two ways out (`smtp`, `folder`).

One thing must stay true: nothing here knows what a signature is; whoever sends says which words go to which address.
"""
