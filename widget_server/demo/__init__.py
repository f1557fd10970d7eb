"""What `undersigned demo` adds to the real server: sample data, two partners' pages and an inbox.

One thing must stay true: nothing here answers for the server. The pages embed it and the inbox receives from
it as anybody's would, from other origins and over HTTP; a demo that works shows that the product works.
"""
