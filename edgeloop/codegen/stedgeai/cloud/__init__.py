"""ST Edge AI Developer Cloud, over HTTP: ST's tool and its boards behind a login.

addresses.py where it is                     wire.py     one request: `httpx`, deadlines, what an answer's status means
account.py   user name, password, tokens     login.py    ST's login form, and the renewal of tokens
client.py    versions, files, runs           failed.py   whose failure it is: the model's, or the service's
options.py   what the tool is asked for      generate.py code that is generated there
"""
